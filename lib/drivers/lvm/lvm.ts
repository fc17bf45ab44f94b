/** One way to have LVM do something: a resident shell, or a process for each command. */
export interface Lvm {
  /**
   * Carries out one command, after those that were asked for before it.
   * Throws LvmInterrupted when it is not known whether the command was done: look before doing it again.
   */
  command(args: readonly string[], options?: LvmCommandOptions): Promise<LvmAnswer>;
  /** Ends what stays running. May be called twice. */
  close(): Promise<void>;
}

export interface LvmCommandOptions {
  /** Default 60,000. */
  timeoutMs?: number;
  /** Takes a command out of the queue; one that has begun is awaited. */
  signal?: AbortSignal;
}

/** `status` is LVM's own: 0 done, 2 no such command, 3 malformed, 5 failed. */
export interface LvmAnswer {
  status: number;
  rows: unknown[];
  /** Whether there was a report at all: without one, no rows does not mean that there is nothing. */
  reported: boolean;
  /** What LVM said of errors, in order; warnings where it named no error. */
  messages: string[];
}

export const defaultTimeoutMs = 60_000;
