import { BlockstoreError, asError, fromFault } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { follow, look, showing } from './follow.ts';
import { type Waiting, defaultTimeoutMs, isWaiting, sendingOf } from './waiting.ts';

const mostAtOnce = 16;

/**
 * Deletes side by side, and prints the id of each that is gone. One that cannot be deleted keeps the others from nothing;
 * the exit code is that of the first failure.
 */
export async function deleteVolumes(context: Context, typed: readonly string[], options: Waiting): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const deleted: string[] = [];
  let failure: BlockstoreError | undefined;
  const waiting = [...new Set(typed)];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
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
  await Promise.all(Array.from({ length: mostAtOnce }, worker));
  if (output.json) await output.document({ [isWaiting(options) ? 'deleted' : 'deleting']: deleted });
  if (failure) process.exitCode = exitCodes[failure.kind];
}

async function deleteVolume(context: Context, session: Session, typed: string, options: Waiting): Promise<string> {
  const { output, interrupts } = context;
  const { store, commands } = session;
  const { identifier: id } = await findVolume(store, typed);
  await interrupts.during('deletion', id, () =>
    showing(output, store, id, async () => {
      try {
        await commands.delete(id, sendingOf(options));
      } catch (error) {
        const isLate = error instanceof BlockstoreError && error.code === 'NotFinished';
        if (!isLate || options.timeout !== undefined || !(await goesOn(session, id))) throw error;
      }
    }),
  );
  return id;
}

/** A large volume takes its time to wipe: as long as that moves, it is waited for. Throws the fault that ends it. */
async function goesOn(session: Session, id: string): Promise<boolean> {
  if ((await look(session.store, id))?.progress === undefined) return false;
  const { over, volume } = await follow(session.store, id, {
    isOver: (now) => now?.status !== 'deleting',
    patienceMs: defaultTimeoutMs,
  });
  if (volume?.fault) throw fromFault(volume.fault);
  return over;
}
