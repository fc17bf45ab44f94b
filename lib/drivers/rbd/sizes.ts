interface Entry {
  bytes: number;
  /** Whether it is a volume of blockstore. */
  isOurs: boolean;
}

interface Change extends Entry {
  /** Whether a list that begins now has it. */
  isDone: boolean;
}

/** Sizes of the images of the pool: as last listed, with the changes of this node since, also those that are under way. */
export class PoolSizes {
  private listed = new Map<string, Entry>();
  private readonly changes = new Map<string, Change>();
  private begun = 0;
  private adopted = 0;

  /** Called before the pool is listed. Returns what takes over the list. */
  begin(): (entries: Map<string, Entry>) => void {
    this.begun += 1;
    const turn = this.begun;
    const done = [...this.changes.entries()].filter(([, change]) => change.isDone);
    return (entries) => {
      // Another list that began later has ended before this one.
      if (turn < this.adopted) return;
      this.adopted = turn;
      this.listed = entries;
      for (const [name, change] of done) if (this.changes.get(name) === change) this.changes.delete(name);
    };
  }

  /** Counts an image with its new size from now on; 0: without it. */
  change(name: string, bytes: number): void {
    this.changes.set(name, { bytes, isOurs: true, isDone: true });
  }

  /** Counts the size while the work makes the image as large, and afterwards if it succeeds. */
  async during<T>(name: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const change = { bytes, isOurs: true, isDone: false };
    this.changes.set(name, change);
    try {
      const result = await work();
      change.isDone = true;
      return result;
    } catch (error) {
      if (this.changes.get(name) === change) this.changes.delete(name);
      throw error;
    }
  }

  /** Bytes of all images, and of the volumes among them. */
  sums(): { allBytes: number; volumeBytes: number } {
    let allBytes = 0;
    let volumeBytes = 0;
    for (const { bytes, isOurs } of new Map<string, Entry>([...this.listed, ...this.changes]).values()) {
      allBytes += bytes;
      if (isOurs) volumeBytes += bytes;
    }
    return { allBytes, volumeBytes };
  }

  bytesOf(name: string): number {
    return (this.changes.get(name) ?? this.listed.get(name))?.bytes ?? 0;
  }
}
