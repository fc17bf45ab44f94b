import { deleteType } from '../../lib/client/types.ts';
import { findType } from '../../lib/models/find-type.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Deletes types and prints the id of each, as deleteVolumes() does. */
export async function deleteTypes(context: Context, references: readonly string[]): Promise<void> {
  await using session = await context.open();
  const { store } = session;
  await despiteWriteErrors(() =>
    deleteEach(
      context,
      references,
      {},
      {
        what: 'type',
        find: async (reference) => (await findType(store, reference, { byBeginning: false })).id,
        delete: (id) => deleteType(store, id),
      },
    ),
  );
}
