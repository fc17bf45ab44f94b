import { findGroupSnapshot } from '../../lib/models/find-group-snapshot.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Deletes group snapshots and prints the id of each deleted one, as deleteVolumes() does. */
export async function deleteGroupSnapshots(
  context: Context,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  await using session = await context.open();
  const { store, groupSnapshots } = session;
  await despiteWriteErrors(() =>
    deleteEach(context, references, options, {
      what: 'group snapshot',
      find: async (reference) => (await findGroupSnapshot(store, reference, { byBeginning: false })).id,
      delete: (id) => groupSnapshots.delete(id, sendOptions(options)),
    }),
  );
}
