import { asError, errors } from '../errors.ts';
import { migrationsOf } from '../models/migration.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type ReplyTo, commit } from '../redis/scripts.ts';
import type { ClusterCommands } from './cluster-commands.ts';
import { type Sent, maxChanges } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

type Cluster = Pick<ClusterCommands, 'store' | 'commands'>;

/**
 * Cancels the migration of a volume, which stays where it is; its destination removes what it has of it. Returns the record of the volume:
 * with a deadline as it is then. Throws VolumeNotFound, NotMigrating, MigrationNotCancellable once the volume is about to leave.
 */
export async function cancelMigration(cluster: Cluster, id: string, options: SendOptions = {}): Promise<VolumeState> {
  const { node, backend } = await volumesOf(cluster.store).lookup(id);
  try {
    const volume = await cluster.commands.carryOut('migrate', id, options, (to) => send(cluster, id, to));
    if (options.deadlineMs === undefined) return volume;
  } catch (thrown) {
    // The end of the migration has reasons of its own, and its reply can be lost.
    const { code } = asError(thrown);
    if (code !== 'MigrationCancelled' && code !== 'ChangeLost') throw thrown;
  }
  const now = await volumesOf(cluster.store).lookup(id);
  if (now.node !== node || now.backend !== backend) throw errors.migrationNotCancellable(id);
  return now;
}

async function send({ store }: Cluster, id: string, to?: ReplyTo): Promise<Sent> {
  for (let change = 0; change < maxChanges; change += 1) {
    const volume = await volumesOf(store).lookup(id);
    const { task, taskText, migration } = volume;
    if (task?.kind !== 'migrate') throw errors.notMigrating(id, volume.status);
    const found = migration === '' ? undefined : await migrationsOf(store).find(migration);
    if (!found || found.isLeaving || found.hasArrived) throw errors.migrationNotCancellable(id);
    // A repeated request waits for the same end, and has no event of its own.
    const cancel = found.isCancelRequested ? 'true' : '';
    const outcome = await commit(store, {
      edits: [
        { kind: 'volume', id, expect: { task: taskText, migration }, ...(to ? { join: to } : {}) },
        { kind: 'migration', id: migration, expect: { leaving: '', arrived: '', cancel }, set: { cancel: 'true' } },
      ],
      ...(found.isCancelRequested ? {} : { event: 'volume.migrate.cancel' }),
    });
    if (outcome.word === 'ok') return { volume };
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}
