import type { Backup } from '../../lib/backups/backup.ts';
import { checkRestorable } from '../../lib/backups/check-restorable.ts';
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
  if (other) throw errors.backupAmbiguous(reference, store.place, [backup.id, other.id]);
  return backup;
}

/** Returns a backup that a volume of so many GiB can be made from, or that can replace the data of `volume`. Throws what findBackup() and checkRestorable() throw. */
export async function backupFor(
  flags: Flags,
  reference: string,
  volume: Parameters<typeof checkRestorable>[1],
): Promise<Backup> {
  const backup = await findBackup(openBackupStore(flags), reference);
  checkRestorable(backup, volume);
  return backup;
}
