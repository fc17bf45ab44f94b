import { BlockstoreError, asError } from '../../lib/errors.ts';
import { refusal } from '../../lib/client/start-task.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import type { Session } from '../session.ts';
import { despiteWriteErrors } from '../write-errors.ts';
import { followDeletion } from './follow-deletion.ts';
import { withProgress } from './follow.ts';
import { type ChangeOptions, defaultTimeoutMs, sendOptions } from './wait-options.ts';

export interface DeleteOptions extends ChangeOptions {
  /** Also their snapshots. */
  cascade?: boolean;
}

/** Deletes volumes in parallel and prints the id of each deleted one: see deleteEach(). */
export async function deleteVolumes(
  context: Context,
  references: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  await using session = await context.open();
  await despiteWriteErrors(() =>
    deleteEach(context, references, options, {
      what: 'volume',
      find: async (reference) => (await findVolume(session.store, reference, { byBeginning: false })).id,
      delete: async (id) => {
        if (options.cascade) await deleteSnapshots(session, id);
        await deleteVolume(context, session, id, options);
      },
    }),
  );
}

/**
 * One after the other: each is a task of the volume. Those of a volume that hosts have, or that is kept for one, stay; a volume in error is
 * deleted with its reservations. Throws VolumeAttached, VolumeReserved.
 */
async function deleteSnapshots({ store, snapshots }: Session, volume: string): Promise<void> {
  const found = await volumesOf(store).lookup(volume);
  const isKept = found.attachStatus !== 'detached' || found.status === 'reserved';
  if (isKept) throw await refusal(store, found, 'startDelete');
  for await (const { id } of snapshotsOf(store).iterate(store.keys.volumeSnapshots(volume))) {
    try {
      await snapshots.delete(id, { deadlineMs: defaultTimeoutMs });
    } catch (error) {
      if (asError(error).code === 'NodeLost') return; // they go with the volume
      throw error;
    }
  }
}

async function deleteVolume(context: Context, session: Session, id: string, options: DeleteOptions): Promise<void> {
  const { output, interrupts } = context;
  const { store, commands } = session;
  await interrupts.during('deletion', id, () =>
    withProgress(output, store, id, async () => {
      try {
        await commands.delete(id, { ...sendOptions(options), withSnapshots: options.cascade ?? false });
      } catch (error) {
        const isLate = error instanceof BlockstoreError && error.code === 'NotFinished';
        if (
          !isLate ||
          options.timeout !== undefined ||
          !(await followDeletion(store, id, { maxIdleMs: defaultTimeoutMs }))
        )
          throw error;
      }
    }),
  );
}
