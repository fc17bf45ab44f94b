import type { Backup } from '../../lib/backups/backup.ts';
import { asError, errors } from '../../lib/errors.ts';
import { isId } from '../../lib/models/id.ts';
import type { Context } from './call.ts';
import { mayKnow } from './owned.ts';

/** Returns a backup that the caller may know of, by its id. Throws BackupNotFound, BackupStoreUnavailable, AnswerUnreadable. */
export async function ownBackup({ caller, backups }: Pick<Context, 'caller' | 'backups'>, id: string): Promise<Backup> {
  const backup = await findBackup({ backups }, id);
  if (!backup || !mayKnow(caller, backup)) throw errors.backupNotFound(id.slice(0, 100), 'the place of the backups');
  return backup;
}

/** Undefined where it does not exist, whosever it is. Throws BackupStoreUnavailable, AnswerUnreadable. */
export async function findBackup({ backups }: Pick<Context, 'backups'>, id: string): Promise<Backup | undefined> {
  return isId(id) ? backups.store.show(id).catch(absent) : undefined;
}

function absent(error: unknown): undefined {
  if (asError(error).code !== 'BackupNotFound') throw error;
}
