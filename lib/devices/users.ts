import { constants } from 'node:fs';
import { open, readFile, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { absentAs, errorCode, isAbsent } from '../files.ts';
import { describeHolder } from './holders.ts';
import { loopsOver } from './loops.ts';
import { deviceNumber } from './sectors.ts';

export interface DeviceUsers {
  /** A text per user: a mount point, a device or swap on it, a process that has it open. */
  users: string[];
  /** Number of processes whose open files are not readable for this process. */
  unreadable: number;
}

/**
 * Returns the users of a block device of this host and of its partitions. `kernelName` is its name under /sys/block. A device
 * that does not exist, or disappears meanwhile, has none.
 */
export async function blockDeviceUsers(kernelName: string): Promise<DeviceUsers> {
  const found = await visibleUsers(kernelName);
  if (found.users.length > 0 || !(await isClaimed(`/dev/${kernelName.replaceAll('!', '/')}`))) return found;
  return { ...found, users: ['mounted, or used by the kernel, in another namespace'] };
}

/** Finds users without opening the device: those in other namespaces are not visible. */
export async function visibleUsers(kernelName: string): Promise<DeviceUsers> {
  return usersOfParts(await partsOf(join('/sys/block', kernelName)));
}

/** `names` are further paths of the device: without udev a device-mapper map has a node of its own beside the kernel's. */
async function usersOfParts(parts: readonly Part[], names: readonly string[] = []): Promise<DeviceUsers> {
  if (parts.length === 0) return { users: [], unreadable: 0 };
  const { openers, unreadable } = await openersOf(new Set([...parts.map((part) => part.path), ...names]));
  return { users: [...(await kernelUsers(parts)), ...openers], unreadable };
}

/**
 * Returns what the kernel itself does with a device named by any path: mounts, swap, devices that are made of it. Processes that
 * only have it open are not among them.
 */
export async function kernelUsersOf(device: string): Promise<string[]> {
  const directory = await directoryOf(device);
  return directory === undefined ? [] : kernelUsers(await partsOf(directory));
}

async function kernelUsers(parts: readonly Part[]): Promise<string[]> {
  const numbers = new Set(parts.map((part) => part.number));
  const paths = new Set(parts.map((part) => part.path));
  const mounts = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'), numbers);
  const swaps = (await readFile('/proc/swaps', 'utf8')).split('\n').map((row) => row.split(/\s/)[0] ?? '');
  return [
    ...mounts.map((mountPoint) => `mounted on ${mountPoint}`),
    ...swaps.filter((swap) => paths.has(swap)).map((swap) => `swap on ${swap}`),
    ...(await Promise.all(parts.flatMap((part) => part.holders).map(describeHolder))),
    ...(await loopsOver(paths, numbers)).map(
      (name) => `backing file of /dev/${name} (to release it: losetup --detach /dev/${name})`,
    ),
  ];
}

/** Returns the users of a device with any path as one text. Call it once the device is known to be open. */
export async function usersOf(device: string): Promise<string> {
  const directory = await directoryOf(device);
  const { users } =
    directory === undefined ? { users: [] } : await usersOfParts(await partsOf(directory), [await realpath(device)]);
  return users.length > 0 ? users.join(', ') : 'something has it open';
}

/** Returns the device's directory in /sys. */
async function directoryOf(device: string): Promise<string | undefined> {
  const { rdev } = await stat(device);
  return absentAs(undefined, realpath(`/sys/dev/block/${deviceNumber(rdev)}`));
}

/** Returns the mount points of the devices with these "major:minor" numbers; see proc(5) for the table. */
export function mountPoints(mountinfo: string, numbers: ReadonlySet<string>): string[] {
  return mountinfo
    .split('\n')
    .map((row) => row.split(' '))
    .filter((fields) => numbers.has(fields[2] ?? ''))
    .map((fields) => unescaped(fields[4] ?? ''));
}

/** Returns a path as it is, from a table in /proc, which has spaces and backslashes as octal numbers. */
export function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

interface Part {
  path: string;
  /** "major:minor" */
  number: string;
  holders: string[];
}

/** The device and its partitions; nothing when it does not exist. */
async function partsOf(device: string): Promise<Part[]> {
  const names = await absentAs([], readdir(device));
  const partitions = names.filter((name) => name.startsWith(basename(device))).map((name) => join(device, name));
  const parts = [device, ...partitions].map(async (directory) => ({
    path: `/dev/${basename(directory).replaceAll('!', '/')}`,
    number: (await readFile(join(directory, 'dev'), 'utf8')).trim(),
    holders: await readdir(join(directory, 'holders')),
  }));
  return absentAs([], Promise.all(parts));
}

/** Returns the processes that have a file with one of these paths open. */
export async function openersOf(paths: ReadonlySet<string>): Promise<{ openers: string[]; unreadable: number }> {
  const openers: string[] = [];
  let unreadable = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      if (!(await hasOpen(pid, paths))) continue;
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

async function hasOpen(pid: string, paths: ReadonlySet<string>): Promise<boolean> {
  const directory = `/proc/${pid}/fd`;
  const descriptors = await readdir(directory);
  const targets = await Promise.all(descriptors.map((name) => absentAs('', readlink(join(directory, name)))));
  return targets.some((target) => paths.has(target));
}

/** Detects mounts in other namespaces: the kernel refuses to open their device exclusively. */
async function isClaimed(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EBUSY') return true;
    if (code === 'ENODEV' || code === 'ENXIO' || code === 'ENOENT') return false; // down, or gone
    throw error;
  }
}
