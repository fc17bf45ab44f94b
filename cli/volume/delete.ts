import { BlockstoreError, asError } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { despiteWriteErrors } from '../write-errors.ts';
import { followDeletion } from './follow-deletion.ts';
import { withProgress } from './follow.ts';
import { type ChangeOptions, defaultTimeoutMs, waitsForEnd, sendOptions } from './wait-options.ts';

const concurrency = 16;

/**
 * Deletes volumes in parallel and prints the id of each deleted one. Nothing is deleted before every reference is resolved: one
 * that a deletion makes ambiguous or unambiguous must not mean another volume. A reference without a volume, or a failure, does
 * not stop the others; the exit code is that of the first failure.
 */
export async function deleteVolumes(
  context: Context,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  await using session = await context.open();
  await despiteWriteErrors(() => deleteEach(context, session, references, options));
}

async function deleteEach(
  context: Context,
  session: Session,
  references: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  const { output } = context;
  const deleted: string[] = [];
  let failure: BlockstoreError | undefined;
  const report = (thrown: unknown) => {
    const error = asError(thrown);
    failure ??= error;
    output.error(error);
  };
  const queue = new Set<string>();
  for (const reference of new Set(references)) {
    await findVolume(session.store, reference, { byBeginning: false }).then(({ id }) => queue.add(id), report);
  }
  const worker = async () => {
    for (const id of queue) {
      queue.delete(id);
      try {
        await deleteVolume(context, session, id, options);
        deleted.push(id);
        if (!output.json) await output.line(id);
      } catch (thrown) {
        report(naming(id, asError(thrown)));
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (output.json) await output.document({ [waitsForEnd(options) ? 'deleted' : 'deleting']: deleted });
  if (failure) process.exitCode = exitCodes[failure.kind];
}

/** One of several volumes: an error about Redis, a node or its storage does not name it. */
function naming(id: string, error: BlockstoreError): BlockstoreError {
  const { code, kind, message, hint, cause } = error;
  return message.includes(id) ? error : new BlockstoreError(code, kind, `volume ${id}: ${message}`, hint, { cause });
}

async function deleteVolume(context: Context, session: Session, id: string, options: ChangeOptions): Promise<void> {
  const { output, interrupts } = context;
  const { store, commands } = session;
  await interrupts.during('deletion', id, () =>
    withProgress(output, store, id, async () => {
      try {
        await commands.delete(id, sendOptions(options));
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
