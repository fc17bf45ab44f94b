import { createHash, randomUUID } from 'node:crypto';
import { chmod, link, open, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { errors } from '../errors.ts';
import {
  absentAs,
  chunkBytes,
  errorCode,
  makeDirectory,
  readIfExists,
  removeFile,
  statIfExists,
  syncDirectory,
  syncFile,
} from '../files.ts';
import { isId } from '../models/id.ts';
import { inDirectory } from '../named-directory.ts';
import { type Image, imageSchema } from './image.ts';
import type { ImagePage, ImageStore, NewImage } from './store.ts';

/** Endings of the names. */
const made = '.json';
const whole = '.active.json';
/** As of volumes and backups: nobody else may read them. */
const modes = { directory: 0o700, file: 0o600 };
const activeSchema = z.object({ data: z.string().regex(/^[0-9a-f-]+$/) });

/**
 * Images as files of a directory, which nodes can share. `<id>.json` has what the Images v2 API says of a new image, and
 * `<id>.active.json` the same once it has data, with the name of these: `<id>.<upload>.data`. That file is linked, so of two uploads one
 * is refused.
 */
export class ImageDirectory implements ImageStore {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  show(id: string): Promise<Image> {
    return this.within(() => this.shown(id));
  }

  private async shown(id: string): Promise<Image> {
    const image = await this.find(id);
    if (image === undefined) throw errors.imageNotFound(id, this.directory);
    return image;
  }

  /** Reads the description of every image in the directory. */
  named(name: string): Promise<readonly Image[]> {
    return this.within(() => this.ofName(name));
  }

  private async ofName(name: string): Promise<readonly Image[]> {
    const found: Image[] = [];
    for (const id of await this.ids()) {
      const image = await this.find(id);
      if (image?.name === name && found.push(image) === 2) break;
    }
    return found;
  }

  list(options: { limit: number; marker?: string }): Promise<ImagePage> {
    return this.within(() => this.page(options));
  }

  private async page({ limit, marker = '' }: { limit: number; marker?: string }): Promise<ImagePage> {
    const left = (await this.ids()).filter((id) => id > marker);
    const images: Image[] = [];
    for (const id of left.slice(0, limit)) {
      const image = await this.find(id);
      if (image) images.push(image);
    }
    const last = left[limit - 1];
    return { images, ...(left.length > limit && last !== undefined ? { marker: last } : {}) };
  }

  download(id: string, from: number, signal?: AbortSignal): Promise<Readable> {
    return this.within(() => this.opened(id, from, signal));
  }

  private async opened(id: string, from: number, signal: AbortSignal | undefined): Promise<Readable> {
    const { status } = await this.show(id);
    const text = await absentAs(undefined, readFile(this.file(id, whole), 'utf8'));
    if (text === undefined) throw errors.imageNotActive(id, status);
    const { data } = activeSchema.parse(JSON.parse(text));
    const file = await absentAs(undefined, open(this.file(id, `.${data}.data`), 'r'));
    if (file === undefined) throw errors.imageNotActive(id, 'without data');
    return file.createReadStream({ start: from, highWaterMark: chunkBytes, ...(signal ? { signal } : {}) });
  }

  create(image: NewImage): Promise<Image> {
    return this.within(() => this.describe(image));
  }

  private async describe({ id = randomUUID(), name, diskFormat, minDisk = 0 }: NewImage): Promise<Image> {
    await makeDirectory(this.directory, modes.directory);
    const fields = { id, name, status: 'queued', disk_format: diskFormat, container_format: 'bare', min_disk: minDisk };
    try {
      await writeFile(this.file(id, made), JSON.stringify(fields), { flag: 'wx', flush: true, mode: modes.file });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') throw errors.imageExists(id);
      await removeFile(this.file(id, made)); // without free space there is a part of it
      throw error;
    }
    await syncDirectory(this.directory);
    return imageSchema.parse(fields);
  }

  upload(id: string, source: Readable, signal?: AbortSignal): Promise<void> {
    return this.within(() => this.give(id, (data) => writeData(data, source, signal)));
  }

  uploadFile(id: string, path: string, signal?: AbortSignal): Promise<void> {
    return this.within(() => this.give(id, (data) => takeFile(data, path, signal)));
  }

  /** `write` makes the file with the data. */
  private async give(id: string, write: (data: string) => Promise<Written>): Promise<void> {
    const image = await this.show(id);
    if (image.status === 'active') throw errors.imageExists(id);
    const upload = randomUUID();
    const data = this.file(id, `.${upload}.data`);
    const description = this.file(id, `.${upload}.new`);
    try {
      const written = await write(data);
      const fields = {
        id,
        name: image.name,
        status: 'active',
        disk_format: image.diskFormat,
        container_format: image.containerFormat,
        min_disk: image.minDisk,
        size: written.sizeBytes,
        os_hash_algo: 'sha256',
        os_hash_value: written.digest,
        data: upload,
      };
      await writeFile(description, JSON.stringify(fields), { flush: true, mode: modes.file });
      await link(description, this.file(id, whole));
      if (await this.removeWithoutData(id)) throw errors.imageNotFound(id, this.directory); // removed meanwhile
    } catch (error) {
      await removeFile(data);
      if (errorCode(error) === 'EEXIST') throw errors.imageExists(id);
      throw error;
    } finally {
      await removeFile(description);
    }
    await syncDirectory(this.directory);
  }

  remove(id: string): Promise<void> {
    return this.within(() => this.removeAll(id));
  }

  private async removeAll(id: string): Promise<void> {
    if (!isId(id)) return;
    const names = await absentAs([], readdir(this.directory));
    for (const name of names.filter((one) => one.startsWith(`${id}.`)).toSorted(descriptionsFirst)) {
      await removeFile(join(this.directory, name));
    }
    await this.removeWithoutData(id); // of an upload that has ended meanwhile
  }

  /** Removes the description of an image whose data are gone. Returns whether there was one. */
  private async removeWithoutData(id: string): Promise<boolean> {
    const text = await readIfExists(this.file(id, whole));
    if (text === undefined) return false;
    const { data } = activeSchema.parse(JSON.parse(text));
    if ((await statIfExists(this.file(id, `.${data}.data`))) !== undefined) return false;
    await removeFile(this.file(id, whole));
    return true;
  }

  /** Undefined where there is none, or its description is none. */
  private async find(id: string): Promise<Image | undefined> {
    // An id is part of a file name.
    if (!isId(id)) return undefined;
    for (const ending of [whole, made]) {
      const text = await absentAs(undefined, readFile(this.file(id, ending), 'utf8'));
      if (text !== undefined) return this.parsed(id, ending, text);
    }
    return undefined;
  }

  private parsed(id: string, ending: string, text: string): Image {
    try {
      return imageSchema.refine((image) => image.id === id).parse(JSON.parse(text));
    } catch {
      throw errors.answerUnreadable(this.file(id, ending), text);
    }
  }

  private async ids(): Promise<string[]> {
    const names = await absentAs([], readdir(this.directory));
    return names
      .filter((name) => name.endsWith(made))
      .map((name) => name.slice(0, -made.length))
      .filter(isId)
      .toSorted();
  }

  private within<T>(work: () => Promise<T>): Promise<T> {
    return inDirectory({ flag: 'image_directory', directory: this.directory }, work);
  }

  private file(id: string, ending: string): string {
    return join(this.directory, `${id}${ending}`);
  }
}

/** Data without a description are none: whoever reads meanwhile finds an image whole, or not at all. */
function descriptionsFirst(one: string, other: string): number {
  return Number(other.endsWith(made)) - Number(one.endsWith(made));
}

interface Written {
  sizeBytes: number;
  digest: string;
}

async function writeData(path: string, data: Readable, signal: AbortSignal | undefined): Promise<Written> {
  const hash = createHash('sha256');
  const file = (await open(path, 'wx', modes.file)).createWriteStream({ flush: true, highWaterMark: chunkBytes });
  await pipeline(
    data,
    async function* hashed(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    file,
    signal ? { signal } : {},
  );
  return { sizeBytes: file.bytesWritten, digest: hash.digest('hex') };
}

/** A file of another file system, or one that may not be changed or linked, is copied. */
async function takeFile(path: string, from: string, signal: AbortSignal | undefined): Promise<Written> {
  const reader = (await open(from, 'r')).createReadStream({ highWaterMark: chunkBytes });
  try {
    await chmod(from, modes.file);
    await link(from, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') return writeData(path, reader, signal);
    reader.destroy();
    throw error;
  }
  const hash = createHash('sha256');
  await pipeline(reader, hash, signal ? { signal } : {});
  await syncFile(path);
  return { sizeBytes: reader.bytesRead, digest: hash.digest('hex') };
}
