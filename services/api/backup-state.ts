import type { Backup } from '../../lib/backups/backup.ts';
import { errors } from '../../lib/errors.ts';
import { jobsOf } from '../../lib/models/job.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Context } from './call.ts';
import { findBackup, ownBackup } from './own-backup.ts';

/**
 * Returns backups as they are: one without data that no node works on was interrupted before its command was sent, or its node was declared
 * lost, and is in error. Without those that are gone.
 */
export async function currentBackups(
  context: Pick<Context, 'cluster' | 'backups'>,
  read: readonly Backup[],
): Promise<Backup[]> {
  const incomplete = read.filter(({ status }) => status === 'creating');
  const underWay = incomplete.length === 0 ? new Set<string>() : await backupsUnderWay(context, incomplete);
  const found = await Promise.all(
    read.map(async (backup) => {
      if (backup.status !== 'creating' || underWay.has(backup.id)) return backup;
      // Read again: its node may just have ended, and describes it before.
      const now = await findBackup(context, backup.id);
      return now?.status === 'creating' ? { ...now, status: 'error' as const } : now;
    }),
  );
  return found.filter((backup) => backup !== undefined);
}

/** The same of one that the caller may know of. Throws BackupNotFound, BackupStoreUnavailable, AnswerUnreadable. */
export async function currentBackup(
  context: Pick<Context, 'caller' | 'cluster' | 'backups'>,
  id: string,
): Promise<Backup> {
  const [backup] = await currentBackups(context, [await ownBackup(context, id)]);
  if (!backup) throw errors.backupNotFound(id, 'the place of the backups');
  return backup;
}

/** Those that nodes work on, by the tasks of their volumes and the jobs of the nodes of these. */
async function backupsUnderWay(
  { cluster: { store } }: Pick<Context, 'cluster'>,
  incomplete: readonly Backup[],
): Promise<ReadonlySet<string>> {
  const { states } = await volumesOf(store).readAll([...new Set(incomplete.map(({ volume }) => volume))]);
  const found = new Set(states.flatMap(({ backup, task }) => (task?.kind === 'backup' ? backup : [])));
  if (incomplete.every(({ id }) => found.has(id))) return found;
  for (const node of new Set(states.map((volume) => volume.node))) {
    for await (const { target } of jobsOf(store).iterate(store.keys.nodeJobs(node))) found.add(target);
  }
  return found;
}
