import { errors } from '../../errors.ts';
import type { DriverStats } from '../driver.ts';
import { reportedCapacity } from './capacity.ts';
import type { Catalogue, NamedImage } from './catalogue.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import type { ListedImage } from './images.ts';
import { labelsIn } from './labels.ts';
import { completeName } from './names.ts';
import { PoolSizes } from './sizes.ts';

/** Lists of the pool and its capacity are this old at most where only their sums are used. */
const keptMs = 60_000;

/**
 * The space of the pool. An image takes its whole size from it, whatever it stores, so that volumes can be filled. What other nodes have
 * created is known after the next list.
 */
export class PoolSpace {
  private readonly commands: RbdCommands;
  private readonly catalogue: Catalogue;
  /** As the operator states it; undefined: what Ceph reports. */
  private readonly statedBytes: number | undefined;
  private readonly sizes = new PoolSizes();
  private listedAt = -Infinity;
  private measured: { at: number; bytes: Promise<number | undefined> } | undefined;

  constructor(commands: RbdCommands, catalogue: Catalogue, statedBytes: number | undefined) {
    this.commands = commands;
    this.catalogue = catalogue;
    this.statedBytes = statedBytes;
  }

  /** Lists the pool. */
  async list(): Promise<{ all: ListedImage[]; named: NamedImage[] }> {
    const adopt = this.sizes.begin();
    const began = performance.now();
    const listing = await this.catalogue.read();
    const ours = new Set(listing.named.filter((image) => labelsIn(image.metadata, image.id)).map(({ name }) => name));
    const entries = listing.all.map(({ name, sizeBytes }) => {
      return [completeName(name), { bytes: sizeBytes, isOurs: ours.has(name) }] as const;
    });
    adopt(new Map(entries));
    this.listedAt = began;
    return listing;
  }

  /** Whether the sums are older than they may be. */
  get isStale(): boolean {
    return performance.now() - this.listedAt > keptMs;
  }

  /** Does the work that makes an image so large. Throws NoSpace, CapacityUnknown, and what the work throws. */
  async reserve<T>(name: string, bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.isStale) await this.list();
    const capacity = await this.capacity();
    if (capacity === undefined) throw errors.capacityUnknown(this.commands.cluster.pool);
    const more = bytes - this.sizes.bytesOf(name);
    const free = Math.max(0, capacity - this.sizes.sums().allBytes);
    if (more > free) throw errors.noSpace(`pool ${this.commands.cluster.pool}`, more, free);
    return this.sizes.during(name, bytes, work);
  }

  release(name: string): void {
    this.sizes.change(name, 0);
  }

  async stats(): Promise<DriverStats> {
    const capacity = await this.capacity();
    const { allBytes, volumeBytes } = this.sizes.sums();
    if (capacity === undefined) {
      const problem = errors.capacityUnknown(this.commands.cluster.pool).message;
      return { totalBytes: volumeBytes, freeBytes: 0, volumeBytes, acceptsCreates: false, problem };
    }
    const freeBytes = Math.max(0, capacity - allBytes);
    return { totalBytes: capacity, freeBytes, volumeBytes, acceptsCreates: true };
  }

  private capacity(): Promise<number | undefined> {
    if (this.statedBytes !== undefined) return Promise.resolve(this.statedBytes);
    const now = performance.now();
    if (this.measured === undefined || now - this.measured.at > keptMs) {
      const measured = { at: now, bytes: reportedCapacity(this.commands) };
      this.measured = measured;
      // What is not known, or failed, is asked again.
      const invalidate = () => {
        if (this.measured === measured) this.measured = undefined;
      };
      measured.bytes.then((bytes) => (bytes === undefined ? invalidate() : undefined), invalidate);
    }
    return this.measured.bytes;
  }
}
