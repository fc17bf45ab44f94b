/** Executes LVM commands, in a resident shell or a process per command. */
export interface Lvm {
  /**
   * Runs one command after all earlier ones that are as urgent. Throws LvmInterrupted when it is unknown whether the command ran: check the
   * state before repeating it.
   */
  command(args: readonly string[], options?: LvmCommandOptions): Promise<LvmAnswer>;
  /** Ends the resident process. Can be called twice. */
  close(): Promise<void>;
}

export interface LvmCommandOptions {
  /** Default 60,000. */
  timeoutMs?: number;
  /** Removes a waiting command from the queue; a running one completes. */
  signal?: AbortSignal;
  /** Before those that wait: what is read for a report must not take longer on a busy group. */
  urgent?: true;
}

/** The same, before all commands that wait. */
export function urgently(lvm: Lvm): Lvm {
  return {
    command: (args, options = {}) => lvm.command(args, { ...options, urgent: true }),
    close: () => lvm.close(),
  };
}

/** `status` is LVM's own: 0 done, 2 no such command, 3 malformed, 5 failed. */
export interface LvmAnswer {
  status: number;
  rows: unknown[];
  /** Whether the output has a report: without one, an absence of rows means nothing. */
  reported: boolean;
  /** LVM's error messages in order; its warnings if there is no error message. */
  messages: string[];
}

export const defaultTimeoutMs = 60_000;
