import { Semaphore } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { Datasets } from './datasets.ts';

/** The space that volumes may have: thin ones are never promised more than there is. */
export interface Space {
  freeBytes: number;
  volumeBytes: number;
}

export function spaceIn({ availableBytes, volumes }: Datasets): Space {
  const volumeBytes = volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const usedBytes = volumes.reduce((sum, { usedBytes: used }) => sum + used, 0);
  return { freeBytes: Math.max(0, availableBytes + usedBytes - volumeBytes), volumeBytes };
}

/** Reserves space for volumes that are being made or grow, so that concurrent requests do not use the same. */
export class Admission {
  private readonly read: () => Promise<Datasets>;
  private readonly mutex = new Semaphore(1);
  /** Sizes that volumes are to have, by id. */
  private readonly promised = new Map<string, number>();

  constructor(read: () => Promise<Datasets>) {
    this.read = read;
  }

  /** Does the work with the space for `bytes` in all for that volume. Throws NoSpace. */
  async during<T>(id: string, bytes: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.mutex.run(async () => {
      const found = await this.read();
      const present = new Map(found.volumes.map((volume) => [volume.id, volume.sizeBytes]));
      const missing = (volume: string, size: number) => Math.max(0, size - (present.get(volume) ?? 0));
      const others = [...this.promised].filter(([volume]) => volume !== id);
      const reserved = others.reduce((sum, [volume, size]) => sum + missing(volume, size), 0);
      const freeBytes = Math.max(0, spaceIn(found).freeBytes - reserved);
      const required = missing(id, bytes);
      if (required > freeBytes) throw errors.noSpace(`ZFS dataset ${found.dataset}`, required, freeBytes);
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
