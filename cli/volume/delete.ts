import { BlockstoreError, asError, fromFault } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { follow, readVolume, withProgress } from './follow.ts';
import { type ChangeOptions, defaultTimeoutMs, waitsForEnd, sendOptions } from './wait-options.ts';

const concurrency = 16;

/**
 * Deletes volumes in parallel and prints the id of each deleted one. A failure does not stop the others; the exit code is
 * that of the first failure.
 */
export async function deleteVolumes(
  context: Context,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const deleted: string[] = [];
  let failure: BlockstoreError | undefined;
  const queue = [...new Set(references)];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        const id = await deleteVolume(context, session, next, options);
        deleted.push(id);
        if (!output.json) await output.line(id);
      } catch (thrown) {
        const error = asError(thrown);
        failure ??= error;
        output.error(error);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (output.json) await output.document({ [waitsForEnd(options) ? 'deleted' : 'deleting']: deleted });
  if (failure) process.exitCode = exitCodes[failure.kind];
}

async function deleteVolume(
  context: Context,
  session: Session,
  reference: string,
  options: ChangeOptions,
): Promise<string> {
  const { output, interrupts } = context;
  const { store, commands } = session;
  const { identifier: id } = await findVolume(store, reference);
  await interrupts.during('deletion', id, () =>
    withProgress(output, store, id, async () => {
      try {
        await commands.delete(id, sendOptions(options));
      } catch (error) {
        const isLate = error instanceof BlockstoreError && error.code === 'NotFinished';
        if (!isLate || options.timeout !== undefined || !(await progresses(session, id))) throw error;
      }
    }),
  );
  return id;
}

/** Waits while the wipe of a large volume makes progress; returns whether the deletion ended. Throws its fault. */
async function progresses(session: Session, id: string): Promise<boolean> {
  if ((await readVolume(session.store, id))?.progress === undefined) return false;
  const { over, volume } = await follow(session.store, id, {
    isOver: (now) => now?.status !== 'deleting',
    maxIdleMs: defaultTimeoutMs,
  });
  if (volume?.fault) throw fromFault(volume.fault);
  return over;
}
