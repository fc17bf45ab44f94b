import { BlockstoreError, errors } from '../errors.ts';
import type { Changes } from './changes.ts';

/** What a command printed, and its exit code. */
export interface SanAnswer {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface SanRunOptions {
  /** Default 120,000: storage can pause for half a minute. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** What the command reads from its standard input; never in a message. Default: nothing. */
  input?: string;
}

export const defaultSanTimeoutMs = 120_000;

/** Runs commands on the storage, over SSH or on this host. */
export interface SanShell {
  /** User, address and port, or `this host`, for messages. */
  readonly where: string;
  /** The failure to reach the storage at the last attempt; undefined when that succeeded, or nothing was tried. */
  readonly failure: BlockstoreError | undefined;
  /** Driver and target have these in common: each changes what the other has read. */
  readonly changes: Changes;
  /**
   * Runs one command of words and returns what it printed, also when it failed. Throws SanUnreachable, SanDenied, HostKeyUnknown,
   * HostKeyChanged, SanInterrupted, InvalidArgument for a word that cannot be sent, or the signal's reason.
   */
  run(words: readonly string[], options?: SanRunOptions): Promise<SanAnswer>;
  close(): Promise<void>;
}

/** A command that the storage did not carry out. `words` is everything that it printed. */
export class SanCommandError extends BlockstoreError {
  readonly words: string;

  constructor(where: string, command: string, words: string) {
    const reason = words.trim().slice(0, 500) || 'it gave no reason';
    const { code, kind, message, hint } = errors.sanCommandFailed(where, command, reason);
    super(code, kind, message, hint);
    this.words = words;
  }
}
