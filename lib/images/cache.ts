import { readdir, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedMutex } from '../concurrency.ts';
import { absentAs, makeDirectory, removeFile, syncDirectory, syncFile } from '../files.ts';
import { inDirectory } from '../named-directory.ts';
import { type FetchOptions, fetchImage } from './fetch.ts';
import type { Image } from './image.ts';
import type { ImageStore } from './store.ts';

/** A part is of an image that is being fetched, or whose download a crash has interrupted. */
const part = '.part';

/**
 * Images as files of this node, so that the next volume of one need not fetch it. What was used longest ago goes first; an image in use
 * stays.
 */
export class ImageCache {
  private readonly directory: string;
  private readonly maxBytes: number;
  private readonly fetching = new KeyedMutex();
  /** Names of files in use, and how often. */
  private readonly uses = new Map<string, number>();

  constructor(directory: string, maxBytes: number) {
    this.directory = directory;
    this.maxBytes = maxBytes;
  }

  /** Runs work with the file of an image. Throws what fetchImage() and the work throw. */
  async use<T>(store: ImageStore, image: Image, options: FetchOptions, work: (path: string) => Promise<T>): Promise<T> {
    const name = nameOf(image);
    const path = join(this.directory, name);
    this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
    try {
      await this.fetching.run(name, () => this.within(() => this.fetch(store, image, path, options)), options.signal);
      return await work(path);
    } finally {
      const left = (this.uses.get(name) ?? 1) - 1;
      if (left > 0) this.uses.set(name, left);
      else this.uses.delete(name);
      await this.shrink(0);
    }
  }

  /** Returns the path of a file beside the images, which is not there and for others to make, within(), and to remove. */
  async reserve(name: string): Promise<string> {
    const path = join(this.directory, name);
    await this.within(async () => {
      await makeDirectory(this.directory, 0o700);
      await removeFile(path);
    });
    return path;
  }

  /** Work that writes such files. Throws DirectoryFull, DirectoryUnusable, and what the work throws. */
  within<T>(work: () => Promise<T>): Promise<T> {
    return inDirectory({ flag: 'state_dir', directory: this.directory }, work);
  }

  private async fetch(store: ImageStore, image: Image, path: string, options: FetchOptions): Promise<void> {
    await makeDirectory(this.directory, 0o700);
    const found = await absentAs(undefined, stat(path));
    if (found === undefined) {
      await this.shrink(image.sizeBytes ?? 0);
      await fetchImage(store, image, `${path}${part}`, options);
      // After a power loss a file of the whole name has all of its data: nobody compares them again.
      await syncFile(`${path}${part}`);
      await rename(`${path}${part}`, path);
      await syncDirectory(this.directory);
    }
    const now = new Date();
    await utimes(path, now, now);
  }

  /** Removes files until so many bytes more are within the bound, as far as they are not in use. */
  private async shrink(bytes: number): Promise<void> {
    const names = await absentAs([], readdir(this.directory));
    const files = await Promise.all(
      names.map(async (name) => ({ name, status: await absentAs(undefined, stat(join(this.directory, name))) })),
    );
    const there = files.flatMap(({ name, status }) =>
      status ? [{ name, time: status.mtimeMs, size: status.size }] : [],
    );
    let total = bytes + there.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of there.toSorted((one, other) => one.time - other.time)) {
      if (total <= this.maxBytes) return;
      if (this.uses.has(name.replace(part, ''))) continue;
      await removeFile(join(this.directory, name));
      total -= size;
    }
  }
}

/** An image service may replace the data of an id, as long as nobody has used them: another checksum is another image. */
function nameOf({ id, checksum }: Image): string {
  return `${id}-${checksum?.digest.slice(0, 16) ?? 'unchecked'}`;
}
