import { statSync } from 'node:fs';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, errorCode, isAbsent, readIfExistsSync } from '../files.ts';
import { deviceNumber } from './sectors.ts';
import { type Mounts, isServed, mountsOf } from './served-files.ts';

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
  const names = await readdir(directory);
  const targets = await Promise.all(names.map((name) => absentAs('', readlink(join(directory, name)))));
  let table: Mounts | undefined;
  const mounts = () => (table ??= mountsOf(pid)); // thousands of files of one process share it
  const isSought = (name: string, target: string) =>
    paths.has(target) ||
    (numbers.size > 0 && mayBeDevice(pid, name, target, mounts) && numbers.has(numberOf(pid, name)));
  return names.filter((name, index) => isSought(name, targets[index] ?? ''));
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
 * A container can have a device under any name in any directory, and its node can be removed. No file on a file server is examined: the
 * examination would hang where that does not answer. What has no path, such as a socket, is no device.
 */
function mayBeDevice(pid: string, descriptor: string, path: string, mounts: () => Mounts): boolean {
  if (path.startsWith('/dev/')) return true;
  if (!path.startsWith('/')) return false;
  const information = readIfExistsSync(`/proc/${pid}/fdinfo/${descriptor}`) ?? '';
  const [, mount = ''] = /^mnt_id:\s*(\d+)$/m.exec(information) ?? [];
  return !isServed(mounts().get(mount));
}

/** Without the thread pool, which costs several times the examination: a host can have tens of thousands of open files. */
function numberOf(pid: string, descriptor: string): string {
  const found = statSync(`/proc/${pid}/fd/${descriptor}`, { throwIfNoEntry: false });
  return found?.isBlockDevice() ? deviceNumber(found.rdev) : '';
}
