import type { ErrorKind } from '../lib/errors.ts';

/** Maps kinds of errors to exit codes. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  invalid: 2,
  notFound: 4,
  conflict: 5,
  exhausted: 6,
  unavailable: 7,
  denied: 8,
};

/** The shell convention for a program ended by Ctrl-C. */
export const interruptedCode = 130;

const interruptedErrors: ReadonlySet<string> = new Set(['Interrupted', 'AttachmentUndone']);

/** Whether an error says that its command was interrupted. */
export function isInterruption(code: string): boolean {
  return interruptedErrors.has(code);
}

/** Exit codes of `blockstore` with their meanings, as help and manual pages print them. */
export const exitCodeMeanings: readonly (readonly [number, string])[] = [
  [0, 'success'],
  [exitCodes.failed, 'failed; also when "doctor" finds an error or "audit" a difference'],
  [exitCodes.invalid, 'invalid argument, option or configuration'],
  [exitCodes.notFound, 'no such volume or node'],
  [exitCodes.conflict, 'the state of the object does not allow it: attached, already exists, in use'],
  [exitCodes.exhausted, 'no space or no address left'],
  [exitCodes.unavailable, 'Redis or a node is unavailable, or the time limit expired'],
  [exitCodes.denied, 'permission denied'],
  [interruptedCode, 'interrupted by Ctrl-C; the operation continues in the background, or was undone: see the message'],
];
