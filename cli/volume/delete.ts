import { BlockstoreError } from '../../lib/errors.ts';
import { deleteWithSnapshots } from '../../lib/client/cascade.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
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
      delete: (id) => deleteVolume(context, session, id, options),
    }),
  );
}

async function deleteVolume(context: Context, session: Session, id: string, options: DeleteOptions): Promise<void> {
  const { output, interrupts } = context;
  const { store, commands } = session;
  const { cascade = false } = options;
  await interrupts.during('deletion', id, () =>
    withProgress(output, store, id, async () => {
      try {
        if (cascade) await deleteWithSnapshots(session, id, { ...sendOptions(options), excessMs: defaultTimeoutMs });
        else await commands.delete(id, sendOptions(options));
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
