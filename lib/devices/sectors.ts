import { realpath, stat } from 'node:fs/promises';
import { readIfExists } from '../files.ts';

/** Major and minor number as the kernel writes them in /sys; stat has both in one number. */
export function deviceNumber(rdev: number): string {
  return `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
}

/** Returns the size of a logical sector of a block device, in bytes; 512 for a file. */
export async function sectorBytes(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isBlockDevice()) return 512;
  const directory = await realpath(`/sys/dev/block/${deviceNumber(found.rdev)}`);
  const name = 'queue/logical_block_size';
  // A partition has no queue of its own, but its disk's.
  const text = (await readIfExists(`${directory}/${name}`)) ?? (await readIfExists(`${directory}/../${name}`));
  return Number(text ?? 512);
}
