import { Semaphore } from '../concurrency.ts';
import { errors } from '../errors.ts';

/** The space that volumes may have. */
export interface FreeSpace {
  /** What it is of, for messages. */
  storage: string;
  freeBytes: number;
  /** Sizes of the present volumes, by id. */
  sizes: ReadonlyMap<string, number>;
}

/** Reserves space for volumes that are being made or grow, so that concurrent requests do not use the same. */
export class Admission {
  private readonly read: () => Promise<FreeSpace>;
  private readonly mutex = new Semaphore(1);
  /** Sizes that volumes are to have, by id. */
  private readonly promised = new Map<string, number>();

  constructor(read: () => Promise<FreeSpace>) {
    this.read = read;
  }

  /** Does the work with the space for `bytes` in all for that volume. Throws NoSpace. */
  async during<T>(id: string, bytes: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.mutex.run(async () => {
      const found = await this.read();
      const missing = (volume: string, size: number) => Math.max(0, size - (found.sizes.get(volume) ?? 0));
      const others = [...this.promised].filter(([volume]) => volume !== id);
      const reserved = others.reduce((sum, [volume, size]) => sum + missing(volume, size), 0);
      const freeBytes = Math.max(0, found.freeBytes - reserved);
      const required = missing(id, bytes);
      if (required > freeBytes) throw errors.noSpace(found.storage, required, freeBytes);
      this.promised.set(id, bytes);
    }, signal);
    try {
      return await work();
    } finally {
      // Not between another's read and its decision: the read may lack this volume.
      await this.mutex.run(async () => this.promised.delete(id));
    }
  }
}
