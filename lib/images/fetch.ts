import { type Hash, createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { BlockstoreError, errors } from '../errors.ts';
import { chunkBytes, errorCode, removeFile, statIfExists } from '../files.ts';
import type { Image } from './image.ts';
import type { ImageStore } from './store.ts';

/** Attempts in a row that bring no byte; the pauses between them are 1, 4, 9… times the first. */
const defaultTries = 5;
const defaultPauseMs = 1000;
/** Of the machine, not of the service: a repetition ends in the same way. */
const lasting = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EACCES', 'EROFS', 'EIO', 'ENOENT', 'ENOTDIR', 'EISDIR']);

export interface FetchOptions {
  signal?: AbortSignal;
  /** Called with the number of bytes that are there. */
  progress?: (bytes: number) => void;
  tries?: number;
  /** The first pause. */
  pauseMs?: number;
}

/**
 * Downloads an image to a file, which then has the size and the checksum that its service states. What an interrupted download has left
 * there is continued. Throws ImageNotFound, ImageNotActive, ImageChanged, ImageServiceUnavailable.
 */
export async function fetchImage(
  store: ImageStore,
  image: Image,
  path: string,
  options: FetchOptions = {},
): Promise<void> {
  const { id, status, sizeBytes, checksum } = image;
  if (status !== 'active' || sizeBytes === undefined) throw errors.imageNotActive(id, status);
  const left = await sizeOf(path);
  if (left > sizeBytes) await removeFile(path);
  const digest = checksum && new RunningDigest(checksum.algorithm);
  await download(store, { id, sizeBytes, digest }, path, options);
  if (checksum === undefined || !digest || (await digest.of(path, sizeBytes)) === checksum.digest) return;
  await removeFile(path);
  if (left === 0) throw errors.imageChanged(id, `the ${checksum.algorithm} checksum`);
  // What was left may have been of other data.
  await fetchImage(store, image, path, options);
}

interface Expected {
  id: string;
  sizeBytes: number;
  digest: RunningDigest | undefined;
}

/** Of what goes to a file. Where that was not all of it in one go, the file is read instead. */
class RunningDigest {
  private readonly algorithm: string;
  private readonly hash: Hash;
  private bytes = 0;
  private isBroken = false;

  constructor(algorithm: string) {
    this.algorithm = algorithm;
    this.hash = createHash(algorithm);
  }

  /** `from`: where in the file the data go. */
  update(data: Buffer, from: number): void {
    if (from !== this.bytes) this.isBroken = true;
    if (this.isBroken) return;
    this.hash.update(data);
    this.bytes += data.length;
  }

  async of(path: string, sizeBytes: number): Promise<string> {
    return !this.isBroken && this.bytes === sizeBytes ? this.hash.digest('hex') : digestOf(path, this.algorithm);
  }
}

async function download(store: ImageStore, expected: Expected, path: string, options: FetchOptions): Promise<void> {
  const { signal, tries = defaultTries, pauseMs = defaultPauseMs } = options;
  let failures = 0;
  for (let have = await sizeOf(path); have < expected.sizeBytes; ) {
    const before = have;
    try {
      await append(store, expected, path, have, options);
      have = await sizeOf(path);
    } catch (error) {
      signal?.throwIfAborted();
      have = await sizeOf(path);
      failures = have > before ? 1 : failures + 1;
      if (failures >= tries || !mayPass(error)) throw error;
      await pause(failures ** 2 * pauseMs, undefined, signal ? { signal } : {});
    }
  }
}

async function append(
  store: ImageStore,
  { id, sizeBytes, digest }: Expected,
  path: string,
  from: number,
  { signal, progress }: FetchOptions,
): Promise<void> {
  let bytes = from;
  const cancel = signal ? { signal } : {};
  await pipeline(
    await store.download(id, from, signal),
    async function* counted(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digest?.update(chunk, bytes);
        bytes += chunk.length;
        if (bytes > sizeBytes) throw errors.imageChanged(id, 'the size');
        progress?.(bytes);
        yield chunk;
      }
    },
    // Whoever reads the image may not write to it; see reader.ts.
    (await open(path, 'a', 0o640)).createWriteStream({ highWaterMark: chunkBytes }),
    cancel,
  );
  if (bytes < sizeBytes) throw errors.imageCutShort(id, bytes, sizeBytes);
}

/** Whether another attempt can end otherwise. */
function mayPass(error: unknown): boolean {
  if (error instanceof BlockstoreError) return error.kind === 'unavailable';
  return !lasting.has(errorCode(error) ?? '');
}

async function sizeOf(path: string): Promise<number> {
  return (await statIfExists(path))?.size ?? 0;
}

async function digestOf(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline((await open(path, 'r')).createReadStream({ highWaterMark: chunkBytes }), hash);
  return hash.digest('hex');
}
