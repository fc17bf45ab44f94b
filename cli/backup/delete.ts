import { openBackupStore } from '../../lib/backups/open-store.ts';
import { errors } from '../../lib/errors.ts';
import { isId } from '../../lib/models/id.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
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
      // By its id also one whose removal was interrupted.
      find: async (reference) => (isId(reference) ? reference : (await findBackup(store, reference)).id),
      delete: async (id) => {
        if (!(await store.remove(id))) throw errors.backupNotFound(id, store.place);
      },
    },
  );
}
