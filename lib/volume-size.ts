import { byteSize } from './format-bytes.ts';

/** In GiB, as in the 2010 BlockStore. */
export const maxSize = 1000;

/** Bytes of a volume of `size` GiB; 0 stands for 100 MiB, as in the 2010 BlockStore. */
export function sizeInBytes(size: number): number {
  return size === 0 ? 100 * 2 ** 20 : size * 2 ** 30;
}

/** Returns the size of a volume of `size` GiB as a message names it. */
export function sizeText(size: number): string {
  return byteSize(sizeInBytes(size));
}

/** The size, in GiB, of a volume whose storage has so many bytes; undefined where no volume has. */
export function sizeOf(bytes: number): number | undefined {
  const size = Math.floor(bytes / 2 ** 30);
  return size <= maxSize && hasSizeOf(bytes, sizeInBytes(size)) ? size : undefined;
}

/** Storage allocates in units: a volume is larger than requested, by less than this. */
export const maxRoundingBytes = 256 * 2 ** 20;

/** Whether a device of so many bytes can be the one of a volume with the expected size; undefined: of any. */
export function hasSizeOf(bytes: number, expected: number | undefined): boolean {
  return expected === undefined || (bytes >= expected && bytes < expected + maxRoundingBytes);
}
