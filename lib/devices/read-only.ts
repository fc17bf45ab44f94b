import { stat } from 'node:fs/promises';
import { readIfExists } from '../files.ts';
import { deviceNumber } from './sectors.ts';

/** Whether the kernel refuses writes to a block device; false for a file. */
export async function isReadOnlyDevice(path: string): Promise<boolean> {
  const found = await stat(path);
  if (!found.isBlockDevice()) return false;
  return (await readIfExists(`/sys/dev/block/${deviceNumber(found.rdev)}/ro`))?.trim() === '1';
}
