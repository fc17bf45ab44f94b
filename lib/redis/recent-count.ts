const parts = 10;

/** Counts events of the last while, in as much memory as there are parts of it: one leaves the count with the part that it was in. */
export class RecentCount {
  private readonly partMs: number;
  private readonly now: () => number;
  private readonly counts: number[] = Array.from({ length: parts }, () => 0);
  /** The part that was counted in last, since the beginning of the clock. */
  private last: number;

  /** `overMs`: how long an event counts at most. */
  constructor(overMs: number, now: () => number = () => performance.now()) {
    this.partMs = overMs / parts;
    this.now = now;
    this.last = this.part;
  }

  add(): void {
    this.dropOld();
    const index = this.last % parts;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
  }

  get total(): number {
    this.dropOld();
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  private get part(): number {
    return Math.floor(this.now() / this.partMs);
  }

  private dropOld(): void {
    const { part } = this;
    for (let next = Math.max(this.last + 1, part - parts + 1); next <= part; next += 1) this.counts[next % parts] = 0;
    this.last = part;
  }
}
