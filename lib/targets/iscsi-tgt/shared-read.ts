/** Reads once for all who ask while an earlier reading runs: each gets one that began after it asked. */
export class SharedRead<T> {
  private readonly read: () => Promise<T>;
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.read = read;
  }

  /** Throws what the reading throws. */
  get(): Promise<T> {
    this.next ??= this.begin(this.running);
    return this.next;
  }

  private async begin(before: Promise<T> | undefined): Promise<T> {
    await Promise.allSettled([before]);
    this.running = this.next;
    this.next = undefined;
    return this.read();
  }
}
