import { errors } from '../lib/errors.ts';
import { printableJson } from '../lib/printable.ts';
import { exitCodes } from './exit-codes.ts';

let isDeferred = false;
let deferred: NodeJS.ErrnoException | undefined;

/**
 * Exits when results cannot be written: with the exit code so far when the reader of a pipe ends, as in `blockstore volume list | head`;
 * else with one line, as on a full file system. Messages on standard error that cannot be written change nothing.
 */
export function exitOnWriteError(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isDeferred) deferred ??= error;
    else exit(error);
  });
  process.stderr.on('error', () => {});
}

/** Runs work that must not end in the middle because its results cannot be written; that is reported afterwards. */
export async function despiteWriteErrors(work: () => Promise<void>): Promise<void> {
  isDeferred = true;
  try {
    await work();
  } finally {
    isDeferred = false;
  }
  if (deferred) exit(deferred);
}

function exit(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  const { code, kind, message, hint } = errors.outputFailed(error.code ?? error.message);
  const isJson = process.argv.includes('--json');
  const line = isJson ? printableJson({ error: { code, kind, message, hint } }) : `blockstore: ${message}`;
  process.stderr.write(`${line}\n`, () => process.exit(exitCodes.failed));
}
