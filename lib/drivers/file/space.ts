import { statfs } from 'node:fs/promises';
import { errors } from '../../errors.ts';
import { poolFiles } from './pool-files.ts';

const capacityKeptMs = 1000;

/** The space of a pool. Each volume and snapshot has its whole size of it, though its file is sparse or shares blocks. */
export class PoolSpace {
  private readonly directory: string;
  private readonly poolBytes: number;
  /** Sizes by file name, reserved before a file exists, so that concurrent creates do not use the same space. */
  private readonly promised = new Map<string, number>();
  private measured: { at: number; bytes: Promise<number> } | undefined;

  constructor(directory: string, poolBytes: number) {
    this.directory = directory;
    this.poolBytes = poolBytes;
  }

  /** Counts what is there. */
  async open(): Promise<void> {
    for (const { name, sizeBytes, isPart } of await poolFiles(this.directory)) {
      if (!isPart) this.promised.set(name, Math.max(sizeBytes, this.promised.get(name) ?? 0));
    }
  }

  /** Reserves what the file needs beyond what it has. Returns what takes that back. Throws NoSpace. */
  async reserve(name: string, bytes: number): Promise<() => void> {
    const totalBytes = await this.capacity();
    const before = this.promised.get(name);
    if (bytes <= (before ?? -1)) return () => {};
    const needed = bytes - (before ?? 0);
    const freeBytes = totalBytes - this.bytesOf('');
    if (needed > freeBytes) throw errors.noSpace(this.directory, needed, Math.max(0, freeBytes));
    this.promised.set(name, bytes);
    return () => {
      if (before === undefined) this.promised.delete(name);
      else this.promised.set(name, before);
    };
  }

  release(name: string): void {
    this.promised.delete(name);
  }

  /** Snapshots take free space, and are none of the volumes. */
  async figures(): Promise<{ totalBytes: number; freeBytes: number; volumeBytes: number }> {
    const totalBytes = await this.capacity();
    return {
      totalBytes,
      freeBytes: Math.max(0, totalBytes - this.bytesOf('')),
      volumeBytes: this.bytesOf('volume-'),
    };
  }

  /** Returns the sum of the files whose names begin with this. */
  private bytesOf(prefix: string): number {
    const files = [...this.promised].filter(([name]) => name.startsWith(prefix));
    return files.reduce((sum, [, bytes]) => sum + bytes, 0);
  }

  /** Space for volumes and snapshots including the existing ones, whose blocks already count as used. */
  private capacity(): Promise<number> {
    const now = performance.now();
    if (this.measured === undefined || now - this.measured.at > capacityKeptMs) {
      this.measured = { at: now, bytes: this.measure() };
    }
    return this.measured.bytes;
  }

  private async measure(): Promise<number> {
    const { blocks, bfree, bavail, bsize } = await statfs(this.directory);
    const filled = (await poolFiles(this.directory)).reduce((sum, { filledBytes }) => sum + filledBytes, 0);
    // Blocks that files share count for each of them, but our files have at most all used blocks.
    const own = Math.min(filled, (blocks - bfree) * bsize);
    return Math.min(this.poolBytes, bavail * bsize + own);
  }
}
