import { topicOf } from '../../lib/client/message.ts';
import { errors } from '../../lib/errors.ts';
import type { MigrationTransport } from '../../lib/migration/transport.ts';
import { migrationsOf } from '../../lib/models/migration.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Migrations } from './engine/operation.ts';

/** What the node that a volume leaves asks and sends for it. `topic`: the beginning of the names of topics. */
export function migrationsFrom(store: Store, topic: string, transport: MigrationTransport): Migrations {
  return {
    transport,
    read: (id) => migrationsOf(store).lookup(id),
    remind: async ({ id, node }) => {
      const outcome = await commit(store, {
        conditions: [{ is: 'up', node }],
        edits: [{ kind: 'migration', id, optional: true }],
        commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ migration: id }) }],
        frees: true,
      });
      if (outcome.word === 'condition') throw errors.nodeDown(node);
    },
    commandTo: (node, volume) => ({ topic: topicOf(topic, node), message: JSON.stringify({ volume }) }),
  };
}
