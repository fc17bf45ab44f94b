/**
 * A read of the whole storage that many callers need at once: they share its result, so that a thousand volumes cost as many
 * commands as one.
 */
export class SharedRead<T> {
  private readonly read: () => Promise<T>;
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;
  private last: { value: T; startedAt: number; endedAt: number } | undefined;
  private changedAt = Number.NEGATIVE_INFINITY;

  constructor(read: () => Promise<T>) {
    this.read = read;
  }

  /** Returns what a read that began after this call has found. */
  fresh(): Promise<T> {
    if (!this.running) return this.start();
    const startNext = () => {
      this.next = undefined;
      return this.start();
    };
    this.next ??= this.running.then(startNext, startNext);
    return this.next;
  }

  /** Returns what a read has found that ended at most so long ago, and began after the last change. */
  async recent(maxAgeMs: number): Promise<T> {
    const { last } = this;
    const isUsable = last && last.startedAt >= this.changedAt && performance.now() - last.endedAt <= maxAgeMs;
    return isUsable ? last.value : this.fresh();
  }

  /** After a change: what was read before is no longer used. */
  invalidate(): void {
    this.changedAt = performance.now();
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
    const running = this.read().finally(() => {
      if (this.running === running) this.running = undefined;
    });
    this.running = running;
    running.then(
      (value) => {
        this.last = { value, startedAt, endedAt: performance.now() };
      },
      () => {},
    );
    return running;
  }
}
