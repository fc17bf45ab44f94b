/** Bytes of a volume of `size` GiB; 0 stands for 100 MiB, as in the 2010 BlockStore. */
export function sizeInBytes(size: number): number {
  return size === 0 ? 100 * 2 ** 20 : size * 2 ** 30;
}
