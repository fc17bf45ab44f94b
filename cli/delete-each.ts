import { BlockstoreError, asError } from '../lib/errors.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import type { Session } from './session.ts';
import { type ChangeOptions, waitsForEnd } from './volume/wait-options.ts';
import { despiteWriteErrors } from './write-errors.ts';

const concurrency = 16;

interface Deletion {
  /** What one of them is. */
  what:
    | 'volume'
    | 'attachment'
    | 'snapshot'
    | 'image'
    | 'backup'
    | 'transfer'
    | 'type'
    | 'group'
    | 'group snapshot'
    | 'user'
    | 'project';
  /** Returns the id that a reference means. */
  find: (reference: string) => Promise<string>;
  delete: (id: string) => Promise<void>;
}

/**
 * Deletes in parallel and prints the id of each deleted one. Nothing is deleted before every reference is resolved: one that a deletion
 * makes ambiguous or unambiguous must not mean another. A reference that means nothing, or a failure, does not stop the others; the exit
 * code is that of the first failure.
 */
export async function deleteEach(
  { output }: Context,
  references: readonly string[],
  options: ChangeOptions,
  { what, find, delete: remove }: Deletion,
): Promise<void> {
  const deleted: string[] = [];
  let failure: BlockstoreError | undefined;
  const report = (thrown: unknown) => {
    const error = asError(thrown);
    failure ??= error;
    output.error(error);
  };
  const queue = new Set<string>();
  for (const reference of new Set(references)) await find(reference).then((id) => queue.add(id), report);
  const worker = async () => {
    for (const id of queue) {
      queue.delete(id);
      try {
        await remove(id);
        deleted.push(id);
        if (!output.json) await output.line(id);
      } catch (thrown) {
        report(naming(`${what} ${id}`, id, asError(thrown)));
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (output.json) await output.document({ [waitsForEnd(options) ? 'deleted' : 'deleting']: deleted });
  if (failure) process.exitCode = exitCodes[failure.kind];
}

/** The same of what Redis has records of. */
export async function deleteRecords(
  context: Context,
  references: readonly string[],
  deletionIn: (session: Session) => Deletion,
  options: ChangeOptions = {},
): Promise<void> {
  await using session = await context.open();
  await despiteWriteErrors(() => deleteEach(context, references, options, deletionIn(session)));
}

/** One of several: an error about Redis, a node or its storage does not name it. */
export function naming(object: string, id: string, error: BlockstoreError): BlockstoreError {
  const { code, kind, message, hint, cause } = error;
  return message.includes(id) ? error : new BlockstoreError(code, kind, `${object}: ${message}`, hint, { cause });
}
