import { setTimeout as pause } from 'node:timers/promises';
import { errors } from '../../lib/errors.ts';
import type { Context } from './call.ts';

/** The removal of many objects goes on behind the answer; one that fails then leaves the backup, which can be deleted again. */
const longestMs = 10_000;

/** Removes a backup. Throws BackupNeeded, BackupNotFound, BackupStoreUnavailable. */
export async function removeBackup({ backups: { store, catalog } }: Context, id: string): Promise<void> {
  const removal = store.remove(id);
  removal.catch(() => undefined);
  const wasThere = await Promise.race([removal, pause(longestMs, true, { ref: false })]);
  catalog.forget(id);
  if (!wasThere) throw errors.backupNotFound(id, 'the place of the backups');
}
