import type { Backup } from '../../lib/backups/backup.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import type { BackupStore } from '../../lib/backups/store.ts';
import { errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { isId } from '../../lib/models/id.ts';

/** Throws BackupNotFound, BackupAmbiguous. */
export async function findBackup(store: BackupStore, reference: string): Promise<Backup> {
  if (isId(reference)) return store.show(reference);
  const [backup, other] = (await store.list()).filter(({ name }) => name === reference);
  if (backup === undefined) throw errors.backupNotFound(reference, store.place);
  if (other) throw errors.backupAmbiguous(reference, store.place);
  return backup;
}

/** Returns the id of a backup that a volume of so many GiB can be made from. Throws what findBackup() throws, BackupNotReady, SizeTooSmall. */
export async function backupFor(flags: Flags, reference: string, size: number): Promise<string> {
  const backup = await findBackup(openBackupStore(flags), reference);
  if (backup.status !== 'available') throw errors.backupNotReady(backup.id);
  if (size < backup.size) throw errors.sizeTooSmall(`backup ${backup.id}`, backup.size, size);
  return backup.id;
}
