import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, errorCode, isAbsent } from '../files.ts';
import { deviceNumber } from './sectors.ts';
import { isServed } from './served-files.ts';

/** In a mask of signals, see proc_pid_status(5). */
const sigkill = 1n << 8n;

/** Returns the ids of the processes of this host, and of its containers. */
export async function processIds(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
}

/**
 * Returns the processes that have open a file with one of these paths, or a block device with one of these "major:minor" numbers.
 * `writersOnly`: those that can write to it.
 */
export async function openersOf(
  paths: ReadonlySet<string>,
  numbers: ReadonlySet<string> = new Set(),
  { writersOnly = false }: { writersOnly?: boolean } = {},
): Promise<{ openers: string[]; unreadable: number }> {
  const openers: string[] = [];
  let unreadable = 0;
  for (const pid of await processIds()) {
    try {
      const descriptors = await descriptorsOf(pid, paths, numbers);
      if (descriptors.length === 0 || (await onlyEnds(pid, descriptors))) continue;
      if (writersOnly && (await onlyReads(pid, descriptors))) continue;
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

/** Returns the descriptors of such files. */
async function descriptorsOf(
  pid: string,
  paths: ReadonlySet<string>,
  numbers: ReadonlySet<string>,
): Promise<readonly string[]> {
  const directory = `/proc/${pid}/fd`;
  const found = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const file = join(directory, name);
      const target = await absentAs('', readlink(file));
      if (paths.has(target)) return [name];
      const isDevice = numbers.size > 0 && (await mayBeDevice(pid, name, target)) && numbers.has(await numberOf(file));
      return isDevice ? [name] : [];
    }),
  );
  return found.flat();
}

/**
 * Whether the process is killed, and waits in the kernel for what it reads, as after a read that took too long: it ends once the device
 * goes. One that may have written counts: its data can still be on the way.
 */
async function onlyEnds(pid: string, descriptors: readonly string[]): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const pending = [...status.matchAll(/^(?:Sig|Shd)Pnd:\s*([0-9a-f]+)$/gm)];
  if (!pending.some(([, mask = '0']) => (BigInt(`0x${mask}`) & sigkill) !== 0n)) return false;
  return onlyReads(pid, descriptors);
}

async function onlyReads(pid: string, descriptors: readonly string[]): Promise<boolean> {
  const flags = await Promise.all(descriptors.map((name) => readFile(`/proc/${pid}/fdinfo/${name}`, 'utf8')));
  return flags.every((text) => /^flags:\s*[0-7]*[04]$/m.test(text));
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
