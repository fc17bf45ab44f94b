import { topicOf } from '../../lib/client/message.ts';
import { errors } from '../../lib/errors.ts';
import type { MigrationTransport } from '../../lib/migration/transport.ts';
import type { MigrationState } from '../../lib/models/migration-state.ts';
import { migrationsOf } from '../../lib/models/migration.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Migrations } from './engine/operation.ts';

/** What the node that a volume leaves asks and sends for it. `topic`: the beginning of the names of topics; `stallMs`: see migration_stall. */
export function migrationsFrom(
  store: Store,
  { topic, stallMs, transport }: { topic: string; stallMs: number; transport: MigrationTransport },
): Migrations {
  const remind = async ({ id, node }: MigrationState, unset: readonly string[]) => {
    const outcome = await commit(store, {
      conditions: [{ is: 'up', node }],
      edits: [{ kind: 'migration', id, optional: true, unset }],
      commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ migration: id }) }],
      frees: true,
    });
    if (outcome.word === 'condition') throw errors.nodeDown(node);
  };
  return {
    transport,
    stallMs,
    read: (id) => migrationsOf(store).lookup(id),
    setLeaving: async ({ id, key, volume }, isLeaving) => {
      const change = isLeaving ? { expect: { key, cancel: '' }, set: { leaving: 'true' } } : { unset: ['leaving'] };
      const { word } = await commit(store, { edits: [{ kind: 'migration', id, ...change }], frees: true });
      if (word === 'absent') throw errors.migrationLost(id);
      if (word !== 'ok') throw errors.migrationCancelled(volume);
    },
    remind: (migration) => remind(migration, []),
    renew: (migration) => remind(migration, ['endpoint']),
    commandTo: (node, volume) => ({ topic: topicOf(topic, node), message: JSON.stringify({ volume }) }),
  };
}
