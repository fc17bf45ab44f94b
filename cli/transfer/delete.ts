import { findTransfer } from '../../lib/models/find-transfer.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Ends transfers and prints the id of each, as deleteVolumes() does. */
export async function deleteTransfers(context: Context, references: readonly string[]): Promise<void> {
  await using session = await context.open();
  const { store, transfers } = session;
  await despiteWriteErrors(() =>
    deleteEach(
      context,
      references,
      {},
      {
        what: 'transfer',
        find: async (reference) => (await findTransfer(store, reference, { byBeginning: false })).id,
        delete: (id) => transfers.delete(id),
      },
    ),
  );
}
