import { type BlockstoreError, errors } from '../../errors.ts';
import type { TargetProblem } from '../target.ts';

interface Entry {
  /** Attempts and restarts since the export last ran for `stableMs`. */
  count: number;
  /** When the next attempt is due, by performance.now(). */
  due: number;
  /** When it was last restarted; undefined when the last attempt failed. */
  restarted: number | undefined;
  error: BlockstoreError | undefined;
}

const maxPauseMs = 30_000;
/** An export that has run so long is not one that ends again and again. */
const stableMs = 60_000;
/** Restarts within that time from which it is a problem. */
const manyRestarts = 4;

/** The recent restarts of exports: one that fails, or ends again after each, is tried less and less often, and is a problem. */
export class RestartHistory {
  private readonly entries = new Map<string, Entry>();
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  isDue(id: string): boolean {
    const entry = this.current(id);
    return entry === undefined || entry.due <= this.now();
  }

  noteRestart(id: string): void {
    const count = (this.current(id)?.count ?? 0) + 1;
    const reason = `its vblade has ended ${count} times, each time within a minute of its start`;
    const error = count >= manyRestarts ? errors.exportFailed(id, reason) : undefined;
    this.entries.set(id, { count, due: this.now() + pauseMs(count - 1), restarted: this.now(), error });
  }

  noteFailure(id: string, error: BlockstoreError): void {
    const count = (this.current(id)?.count ?? 0) + 1;
    this.entries.set(id, { count, due: this.now() + pauseMs(count), restarted: undefined, error });
  }

  /** It runs, by whatever means: failed attempts are over, restarts that did not last count on. */
  noteRunning(id: string): void {
    if (this.current(id)?.restarted === undefined) this.entries.delete(id);
  }

  clear(id: string): void {
    this.entries.delete(id);
  }

  clearAll(): void {
    this.entries.clear();
  }

  problemOf(id: string): BlockstoreError | undefined {
    return this.current(id)?.error;
  }

  get problems(): TargetProblem[] {
    return [...this.entries.keys()].flatMap((id) => {
      const error = this.problemOf(id);
      return error ? [{ id, error }] : [];
    });
  }

  /** Returns nothing for an export that has run long enough since. */
  private current(id: string): Entry | undefined {
    const entry = this.entries.get(id);
    const isStable = entry?.restarted !== undefined && this.now() - Math.max(entry.restarted, entry.due) > stableMs;
    if (!isStable) return entry;
    this.entries.delete(id);
    return undefined;
  }
}

function pauseMs(count: number): number {
  return count === 0 ? 0 : Math.min(2 ** count * 1000, maxPauseMs);
}
