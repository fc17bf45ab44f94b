import { errors } from '../../errors.ts';

/** The space that volumes and snapshots share. */
export class FakeSpace {
  readonly totalBytes: number;
  #usedBytes = 0;

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
  }

  get freeBytes(): number {
    return this.totalBytes - this.#usedBytes;
  }

  /** Replaces what an object had by what it needs. Throws NoSpace. */
  reserve(bytes: number, ownBytes = 0): void {
    const freeBytes = this.freeBytes + ownBytes;
    if (bytes > freeBytes) throw errors.noSpace('the fake pool', bytes, freeBytes);
    this.#usedBytes += bytes - ownBytes;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
