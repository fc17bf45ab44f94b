import { findGroupSnapshot } from '../../lib/models/find-group-snapshot.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';

/** Deletes group snapshots and prints the id of each deleted one, as deleteVolumes() does. */
export function deleteGroupSnapshots(
  context: Context,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  return deleteRecords(
    context,
    references,
    ({ store, groupSnapshots }) => ({
      what: 'group snapshot',
      find: async (reference) => (await findGroupSnapshot(store, reference, { byBeginning: false })).id,
      delete: (id) => groupSnapshots.delete(id, sendOptions(options)),
    }),
    options,
  );
}
