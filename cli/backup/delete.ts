import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { findBackup } from './find-backup.ts';

/** Prints the id of each deleted one. */
export async function deleteBackups(context: Context, references: readonly string[]): Promise<void> {
  const store = openBackupStore((await context.loadFlags()).flags);
  await deleteEach(
    context,
    references,
    {},
    {
      what: 'backup',
      find: async (reference) => (await findBackup(store, reference)).id,
      delete: (id) => store.remove(id),
    },
  );
}
