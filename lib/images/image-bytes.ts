import type { FileHandle } from 'node:fs/promises';

/** Thrown by readers of formats; the text says what is wrong with the image, without its name. */
export class Unusable extends Error {}

/** The bytes of an image that somebody else made: every offset in it may be wrong. */
export interface ImageBytes {
  /** Of the file, in bytes. */
  readonly sizeBytes: number;
  /** Returns exactly so many bytes, at most `maxReadBytes`. Throws Unusable where the file ends before. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Larger than every structure that a reader takes at once: tables are read in parts. */
export const maxReadBytes = 2 * 2 ** 20;

export function bytesOf(file: FileHandle, sizeBytes: number): ImageBytes {
  return {
    sizeBytes,
    async read(offset, length) {
      if (length > maxReadBytes) throw new Unusable(`it has a structure of ${length} bytes`);
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > sizeBytes)
        throw new Unusable('it is truncated');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead < length) throw new Unusable('it is truncated');
      return buffer;
    },
  };
}

/** Returns an integer of 64 bits as a number. Throws Unusable where it is none that a file can have. */
export function safe(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Unusable(`${what} is ${value}`);
  return Number(value);
}
