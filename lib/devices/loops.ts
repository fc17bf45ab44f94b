import { readdir, stat } from 'node:fs/promises';
import { readAttribute } from '../files.ts';
import { deviceNumber } from './sectors.ts';
import { isServedPath } from './served-files.ts';

/**
 * Returns the loop devices over devices with these paths or "major:minor" numbers. The kernel holds them open: no process does, and no
 * other directory of /sys names them.
 */
export async function loopsOver(paths: ReadonlySet<string>, numbers: ReadonlySet<string>): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const found = await Promise.all(
    names.map(async (name) => {
      const file = (await readAttribute(`/sys/block/${name}/loop/backing_file`))?.trimEnd();
      if (file === undefined || file === '') return undefined;
      return (await isAmong(file, paths, numbers)) ? name : undefined;
    }),
  );
  return found.filter((name) => name !== undefined);
}

/**
 * Whether a file has one of these paths, or is a device with one of these numbers, in whatever directory its node is. None on a file
 * server is examined: that would hang where the server does not answer.
 */
export async function isAmong(
  file: string,
  paths: ReadonlySet<string>,
  numbers: ReadonlySet<string>,
): Promise<boolean> {
  if (paths.has(file)) return true;
  if (!file.startsWith('/') || isServedPath(file)) return false;
  return numbers.has(await numberOf(file));
}

async function numberOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined); // of another name space, or removed
  return found?.isBlockDevice() ? deviceNumber(found.rdev) : '';
}
