import { findTransfer } from '../../lib/models/find-transfer.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';

/** Ends transfers and prints the id of each, as deleteVolumes() does. */
export function deleteTransfers(context: Context, references: readonly string[]): Promise<void> {
  return deleteRecords(context, references, ({ store, transfers }) => ({
    what: 'transfer',
    find: async (reference) => (await findTransfer(store, reference, { byBeginning: false })).id,
    delete: (id) => transfers.delete(id),
  }));
}
