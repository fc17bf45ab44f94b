import { randomUUID } from 'node:crypto';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { type Finding, ok } from '../../lib/check.ts';
import { asError } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';

/** Whether the bucket of the backups answers with these keys. Throws BackupStoreUnavailable. */
export async function checkBackups(flags: Flags): Promise<Finding> {
  const store = openBackupStore(flags);
  await store.show(randomUUID()).catch((error: unknown) => {
    if (asError(error).code !== 'BackupNotFound') throw error;
  });
  return ok(`backups in ${store.place}`);
}
