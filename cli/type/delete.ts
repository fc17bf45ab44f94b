import { deleteType } from '../../lib/client/types.ts';
import { findType } from '../../lib/models/find-type.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';

/** Deletes types and prints the id of each, as deleteVolumes() does. */
export function deleteTypes(context: Context, references: readonly string[]): Promise<void> {
  return deleteRecords(context, references, ({ store }) => ({
    what: 'type',
    find: async (reference) => (await findType(store, reference, { byBeginning: false })).id,
    delete: (id) => deleteType(store, id),
  }));
}
