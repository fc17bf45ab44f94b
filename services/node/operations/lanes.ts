/** Bounds how much of one kind of work goes on at once; what is over the bound waits, first come first served. */
export class Lane {
  private readonly bound: number;
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(bound: number) {
    this.bound = bound;
  }

  /** How much more could begin at once. */
  get room(): number {
    return Math.max(0, this.bound - this.running - this.queue.length);
  }

  async enter<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.bound) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}
