import type { ErrorKind } from '../lib/errors.ts';

/** What the shell is told: the one place where kinds of errors become numbers. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  invalid: 2,
  notFound: 4,
  conflict: 5,
  exhausted: 6,
  unavailable: 7,
  denied: 8,
};

/** As shells have it for what Ctrl-C ended. */
export const interruptedCode = 130;

export const exitCodesHelp = `
Exit codes:
  0    done
  1    failed, or "doctor" found something bad
  2    what was typed is invalid
  4    no such volume or node
  5    its state does not allow it: attached, exists already, in use
  6    no space or no number left
  7    unavailable: Redis or a node is away, or the time limit passed
  8    denied
  130  ended by Ctrl-C; what was begun goes on by itself`;
