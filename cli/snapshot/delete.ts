import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { withProgress } from '../volume/follow.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Deletes snapshots in parallel and prints the id of each deleted one, as deleteVolumes() does. */
export async function deleteSnapshots(
  context: Context,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  const { output, interrupts } = context;
  await using session = await context.open();
  const { store, snapshots } = session;
  await despiteWriteErrors(() =>
    deleteEach(context, references, options, {
      what: 'snapshot',
      find: async (reference) => (await findSnapshot(store, reference, { byBeginning: false })).id,
      delete: async (id) => {
        const { volume } = await findSnapshot(store, id);
        await interrupts.during('deletion of a snapshot', volume, () =>
          withProgress(output, store, volume, () => snapshots.delete(id, sendOptions(options))),
        );
      },
    }),
  );
}
