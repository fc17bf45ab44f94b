/** The form of every error of the catalogue; other files import it from errors.ts. */

export type ErrorKind = 'invalid' | 'notFound' | 'conflict' | 'exhausted' | 'unavailable' | 'denied' | 'failed';

/** An error as it is stored in a record or sent in a reply. `time` is in milliseconds since the epoch. */
export interface Fault {
  code: string;
  kind: ErrorKind;
  message: string;
  hint?: string;
  step?: string;
  time?: number;
}

export class BlockstoreError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  /** Seconds after which the request can be repeated. */
  readonly retryAfter: number | undefined;

  constructor(
    code: string,
    kind: ErrorKind,
    message: string,
    hint?: string,
    { retryAfter, ...options }: { cause?: unknown; retryAfter?: number } = {},
  ) {
    super(message, options);
    this.retryAfter = retryAfter;
    this.name = code;
    this.code = code;
    this.kind = kind;
    this.hint = hint;
  }

  toFault(step?: string): Fault {
    return {
      code: this.code,
      kind: this.kind,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(step === undefined ? {} : { step }),
      time: Date.now(),
    };
  }
}

export const raiseOpenFiles = 'raise the limit of open files: LimitNOFILE of the unit, "ulimit -n" of a shell';

/** Whether a system error says so: EMFILE of this process, ENFILE of the machine. */
export function isOutOfDescriptors(message: string): boolean {
  return /\bE[MN]FILE\b/.test(message);
}

/** Returns any thrown value as a catalogue error; unknown values become `Internal` with the cause attached. */
export function asError(thrown: unknown): BlockstoreError {
  if (thrown instanceof BlockstoreError) return thrown;
  // A failed start: the cause says more than the failures of the stops that followed.
  if (thrown instanceof AggregateError && thrown.cause !== undefined) return asError(thrown.cause);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // ENOSPC, EPERM and similar: the message names the system call and usually the path.
  if (thrown instanceof Error && 'syscall' in thrown) {
    return new BlockstoreError(
      'SystemRefused',
      'failed',
      `system call failed: ${message}`,
      isOutOfDescriptors(message)
        ? raiseOpenFiles
        : 'check free space (df) and permissions (ls -l) of the file it names',
      { cause: thrown },
    );
  }
  return new BlockstoreError(
    'Internal',
    'failed',
    `internal error: ${message}`,
    'see the log: journalctl -u blockstored',
    {
      cause: thrown,
    },
  );
}

export function fromFault(fault: Fault): BlockstoreError {
  return new BlockstoreError(fault.code, fault.kind, fault.message, fault.hint);
}
