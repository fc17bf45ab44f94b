import { Semaphore } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { DriverStats } from '../driver.ts';
import type { Image, Space } from './answers.ts';
import type { Dog } from './dog.ts';
import { volumeIdOf } from './names.ts';

/** The space for volumes. Sheepdog allocates what is written; each volume counts with its full size here. */
export class Capacity {
  private readonly dog: Dog;
  private readonly copies: number;
  private readonly mutex = new Semaphore(1);

  constructor(dog: Dog, copies: number) {
    this.dog = dog;
    this.copies = copies;
  }

  async stats(): Promise<DriverStats> {
    await this.dog.state();
    const [space, images] = [await this.dog.space(), await this.dog.images()];
    return { ...figures(space, images, this.copies), acceptsCreates: true };
  }

  /** Does work that takes so many bytes; one at a time, so that two do not take the same. Throws NoSpace. */
  take<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    return this.mutex.run(async () => {
      const { freeBytes } = figures(await this.dog.space(), await this.dog.images(), this.copies);
      if (bytes > freeBytes) throw errors.noSpace(`the Sheepdog cluster at ${this.dog.cluster}`, bytes, freeBytes);
      return work();
    });
  }
}

/** What others and snapshots have written is not free, and the rest of it is not promised to them. */
function figures(space: Space, images: readonly Image[], copies: number) {
  const volumes = images.filter((image) => volumeIdOf(image) !== undefined);
  const volumeBytes = volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const writtenBytes = volumes.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  const forVolumes = Math.floor(space.freeBytes / copies) + writtenBytes;
  return {
    totalBytes: Math.floor(space.totalBytes / copies),
    freeBytes: Math.max(0, forVolumes - volumeBytes),
    volumeBytes,
  };
}
