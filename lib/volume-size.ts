/** Bytes of a volume of `size` GiB; 0 stands for 100 MiB, as in the 2010 BlockStore. */
export function sizeInBytes(size: number): number {
  return size === 0 ? 100 * 2 ** 20 : size * 2 ** 30;
}

/** Storage allocates in units: a volume is larger than requested, by less than this. */
export const maxRoundingBytes = 256 * 2 ** 20;
