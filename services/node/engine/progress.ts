const everyMs = 1000;

/** Writes progress at most once a second, one write at a time, the latest value only. */
export class ProgressWriter {
  private readonly write: (percent: number) => Promise<void>;
  private last = -Infinity;
  private shown = -1;
  private writing: Promise<void> | undefined;

  constructor(write: (percent: number) => Promise<void>) {
    this.write = write;
  }

  set(percent: number): void {
    const whole = Math.floor(percent);
    if (this.writing || whole === this.shown || performance.now() - this.last < everyMs) return;
    this.last = performance.now();
    this.shown = whole;
    this.writing = this.write(whole).finally(() => {
      this.writing = undefined;
    });
  }

  /** No write is under way, and none follows. */
  async end(): Promise<void> {
    this.last = Infinity;
    await this.writing;
  }
}
