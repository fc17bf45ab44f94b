import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, errorCode, isAbsent } from '../files.ts';
import { deviceNumber } from './sectors.ts';
import { isServed } from './served-files.ts';

/** Returns the ids of the processes of this host, and of its containers. */
export async function processIds(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
}

/** Returns the processes that have open a file with one of these paths, or a block device with one of these "major:minor" numbers. */
export async function openersOf(
  paths: ReadonlySet<string>,
  numbers: ReadonlySet<string> = new Set(),
): Promise<{ openers: string[]; unreadable: number }> {
  const openers: string[] = [];
  let unreadable = 0;
  for (const pid of await processIds()) {
    try {
      if (!(await hasOpen(pid, paths, numbers))) continue;
      const name = await readFile(`/proc/${pid}/comm`, 'utf8');
      openers.push(`open in ${name.trim()}, process ${pid}`);
    } catch (error) {
      if (isAbsent(error)) continue; // the process ended meanwhile
      const code = errorCode(error);
      if (code !== 'EACCES' && code !== 'EPERM') throw error;
      unreadable += 1;
    }
  }
  return { openers, unreadable };
}

async function hasOpen(pid: string, paths: ReadonlySet<string>, numbers: ReadonlySet<string>): Promise<boolean> {
  const directory = `/proc/${pid}/fd`;
  const opened = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const file = join(directory, name);
      const target = await absentAs('', readlink(file));
      if (paths.has(target)) return true;
      return numbers.size > 0 && (await mayBeDevice(pid, name, target)) && numbers.has(await numberOf(file));
    }),
  );
  return opened.includes(true);
}

/**
 * A container can have a device under any name, and its node can be removed. Only files below a directory "dev" are examined, and none on
 * a file server: the examination would hang where that does not answer.
 */
async function mayBeDevice(pid: string, descriptor: string, path: string): Promise<boolean> {
  return path.startsWith('/dev/') || (path.includes('/dev/') && !(await isServed(pid, descriptor)));
}

async function numberOf(file: string): Promise<string> {
  const found = await absentAs(undefined, stat(file));
  return found?.isBlockDevice() ? deviceNumber(found.rdev) : '';
}
