import { topicOf } from '../../lib/client/message.ts';
import { errors } from '../../lib/errors.ts';
import type { MigrationTransport } from '../../lib/migration/transport.ts';
import type { MigrationState } from '../../lib/models/migration-state.ts';
import { migrationsOf } from '../../lib/models/migration.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Migrations } from './engine/operation.ts';
import type { IncomingMigrations } from './incoming.ts';
import type { NodeLease } from './lease.ts';

/** What the nodes of a migration ask and send for it. `topic`: the beginning of the names of topics; `stallMs`: see migration_stall. */
export function migrationsFrom(
  { store, lease, incoming }: { store: Store; lease: NodeLease; incoming: Pick<IncomingMigrations, 'arrive'> },
  { topic, stallMs, transport }: { topic: string; stallMs: number; transport: MigrationTransport },
): Migrations {
  const remind = async ({ id, node }: MigrationState, unset: readonly string[]) => {
    const outcome = await commit(store, {
      conditions: [
        { is: 'notLost', node },
        { is: 'up', node },
      ],
      edits: [{ kind: 'migration', id, optional: true, unset }],
      commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ migration: id }) }],
      frees: true,
    });
    if (outcome.word !== 'condition') return;
    throw outcome.condition.is === 'notLost' ? errors.nodeLost(node) : errors.nodeDown(node);
  };
  const change = async (id: string, edit: Pick<Edit, 'expect' | 'set' | 'unset'>) => {
    const { word } = await commit(store, {
      owner: lease.token,
      edits: [{ kind: 'migration', id, ...edit }],
      frees: true,
    });
    if (word === 'Fenced') throw errors.fenced(lease.node);
    if (word === 'absent') throw errors.migrationLost(id);
    return word;
  };
  return {
    transport,
    stallMs,
    arrive: (volume, accept) => incoming.arrive(volume, accept),
    read: (id) => migrationsOf(store).lookup(id),
    // Where the node was declared lost meanwhile, it was decided by what these fields said then.
    setLeaving: async ({ id, key, volume }) => {
      const set = { leaving: 'true', complete: 'true' };
      if ((await change(id, { expect: { key, cancel: '' }, set })) !== 'ok') throw errors.migrationCancelled(volume);
    },
    unsetLeaving: async (id) => void (await change(id, { unset: ['leaving', 'complete'] })),
    remind: (migration) => remind(migration, []),
    renew: (migration) => remind(migration, ['endpoint']),
    commandTo: (node, volume) => ({ topic: topicOf(topic, node), message: JSON.stringify({ volume }) }),
  };
}
