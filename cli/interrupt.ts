import { type BlockstoreError, errors } from '../lib/errors.ts';
import { ignoresHangup } from '../lib/hangup.ts';
import { interruptedCode } from './exit-codes.ts';
import type { Output } from './output.ts';

/** From a person, from timeout(1) or a shutdown, and from a terminal that is closed. */
const endingSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', ...(ignoresHangup ? [] : ['SIGHUP' as const])];

/** Handles Ctrl-C while a command waits: it ends the waiting, not the operation, and prints what to do then. */
export class Interrupts {
  private readonly output: Output;
  /** What Ctrl-C prints, by volume. */
  private readonly inFlight = new Map<string, BlockstoreError>();

  constructor(output: Output) {
    this.output = output;
  }

  async during<T>(
    operation: string,
    volume: string,
    work: () => Promise<T>,
    interrupted = errors.interrupted,
  ): Promise<T> {
    if (this.inFlight.size === 0) process.once('SIGINT', this.onSignal);
    this.inFlight.set(volume, interrupted(operation, volume));
    try {
      return await work();
    } finally {
      this.inFlight.delete(volume);
      if (this.inFlight.size === 0) process.off('SIGINT', this.onSignal);
    }
  }

  /**
   * Runs work that must not be left half done: Ctrl-C, the end of the terminal or a kill aborts its signal, upon which it undoes what it
   * did; a second one exits at once. Once the work has called `onBegun`, it continues elsewhere: these end the waiting, and that error says so.
   */
  async undoable<T>(
    operation: string,
    work: (signal: AbortSignal, onBegun: (interrupted: BlockstoreError) => void) => Promise<T>,
  ): Promise<T> {
    const abort = new AbortController();
    let begun: BlockstoreError | undefined;
    const leave = (interrupted: BlockstoreError, isHeard = true): never => {
      if (isHeard && this.output.isWatched) process.stderr.write('\n');
      if (isHeard) this.output.error(interrupted);
      process.exit(interruptedCode);
    };
    const onBegun = (interrupted: BlockstoreError) => {
      begun = interrupted;
      if (abort.signal.aborted) leave(interrupted);
    };
    const onSignal = (name: NodeJS.Signals) => {
      if (begun) leave(begun, name !== 'SIGHUP');
      // A terminal that ends can send both.
      if (abort.signal.aborted && name !== 'SIGHUP') process.exit(interruptedCode);
      const isRead = !abort.signal.aborted && name !== 'SIGHUP';
      abort.abort();
      if (isRead && this.output.isWatched) process.stderr.write('\n');
      // Where nobody reads it, a failed write would end the undo.
      if (isRead) this.output.note(`undoing the ${operation}; Ctrl-C again leaves it half done`);
    };
    for (const name of endingSignals) process.on(name, onSignal);
    try {
      return await work(abort.signal, onBegun);
    } finally {
      for (const name of endingSignals) process.off(name, onSignal);
    }
  }

  private readonly onSignal = () => {
    if (this.output.isWatched) process.stderr.write('\n');
    for (const error of this.inFlight.values()) this.output.error(error);
    process.exit(interruptedCode);
  };
}
