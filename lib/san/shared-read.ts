import { Changes } from './changes.ts';

interface Read<T> {
  startedAt: number;
  value: Promise<T>;
}

/** The longest time for which a series uses one result. */
const longestSeriesMs = 60_000;

/**
 * A read of the whole storage that many callers need at once: they share its result, so that a thousand volumes cost as many
 * commands as one.
 */
export class SharedRead<T> {
  private readonly read: () => Promise<T>;
  private readonly changes: Changes;
  private running: Read<T> | undefined;
  private next: Promise<T> | undefined;
  /** `usedAt`: in a series, or at its end. */
  private last: { value: T; startedAt: number; endedAt: number; usedAt: number } | undefined;

  constructor(read: () => Promise<T>, changes = new Changes()) {
    this.read = read;
    this.changes = changes;
  }

  /** Returns what a read that began after this call has found. */
  fresh(): Promise<T> {
    if (!this.running) return this.start();
    const startNext = () => {
      this.next = undefined;
      return this.start();
    };
    this.next ??= this.running.value.then(startNext, startNext);
    return this.next;
  }

  /**
   * Returns what a read has found that ended, or was last used in a series, at most so long ago, or that is still running. It began
   * after the last change.
   */
  async recent(maxAgeMs: number): Promise<T> {
    const { last, running } = this;
    const now = performance.now();
    const isRecent = last && now - last.usedAt <= maxAgeMs && now - last.endedAt <= longestSeriesMs;
    if (isRecent && this.changes.areNoneSince(last.startedAt)) return last.value;
    return running && this.changes.areNoneSince(running.startedAt) ? running.value : this.fresh();
  }

  /** As `recent`, for work on many volumes one after another: while the calls come in time, all use one result. */
  async inSeries(maxAgeMs: number): Promise<T> {
    const value = await this.recent(maxAgeMs);
    if (this.last?.value === value) this.last.usedAt = performance.now();
    return value;
  }

  /** After a change: what was read before is no longer used. */
  invalidate(): void {
    this.changes.note();
  }

  /** Carries out a change, which may have happened also where it fails. */
  async changing<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } finally {
      this.invalidate();
    }
  }

  private start(): Promise<T> {
    const startedAt = performance.now();
    const value = this.read().finally(() => {
      if (this.running === running) this.running = undefined;
    });
    const running: Read<T> = { startedAt, value };
    this.running = running;
    value.then(
      (found) => {
        const endedAt = performance.now();
        this.last = { value: found, startedAt, endedAt, usedAt: endedAt };
      },
      () => {},
    );
    return value;
  }
}
