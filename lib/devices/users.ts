import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pollUntil } from '../concurrency.ts';
import { absentAs } from '../files.ts';
import { unescaped } from './escapes.ts';
import { describeHolder } from './holders.ts';
import { isAmong, loopsOver } from './loops.ts';
import { mountsOfOtherNamespaces } from './namespaces.ts';
import { openersOf } from './openers.ts';
import { deviceNumber } from './sectors.ts';
import { targetsOver } from './served-devices.ts';

/** Without a mount that any process sees: after "umount --lazy", as the journal or a further device of a file system, as in ZFS. */
const hiddenUse =
  'the kernel: a lazy unmount, a file system of several devices, ZFS, or another use that it does not name';

/** How long a process may have a device open that only examines it, or closes it just now. */
const examinationMs = 3000;
const pollMs = 100;

export interface DeviceUsers {
  /** A text per user: a mount point, a device or swap on it, a process that has it open. */
  users: string[];
  /** Whether some of them are none that a process ends by closing the device. */
  isLasting: boolean;
  /** Number of processes whose open files are not readable for this process. */
  unreadable: number;
}

/**
 * Returns the users of a block device of this host and of its partitions. `kernelName` is its name under /sys/block; `isClaimed` says
 * whether the kernel lets nobody else have a device, and is asked where no user is visible. A device that does not exist, or
 * disappears meanwhile, has none.
 */
export async function blockDeviceUsers(
  kernelName: string,
  isClaimed: (path: string) => Promise<boolean>,
): Promise<DeviceUsers> {
  const found = await visibleUsers(kernelName);
  if (found.users.length > 0 || !(await isClaimed(`/dev/${kernelName.replaceAll('!', '/')}`))) return found;
  const { numbers, paths } = namesOf(await partsOf(join('/sys/block', kernelName)));
  const mounts = await mountsOfOtherNamespaces((table) => mountPoints(table, numbers, paths));
  return { ...found, users: mounts.length > 0 ? mounts : [hiddenUse], isLasting: true };
}

/**
 * Returns those that are left after a moment: udev and what it starts examine each device that appears, or that a process has written,
 * and the process of a guest closes its disk later than libvirt forgets it.
 */
export async function settledUsers(
  kernelName: string,
  find: (kernelName: string) => Promise<DeviceUsers>,
): Promise<DeviceUsers> {
  let found = await find(kernelName);
  const isSettled = () => found.users.length === 0 || found.isLasting;
  if (isSettled()) return found;
  const examine = async () => {
    found = await find(kernelName);
    return isSettled();
  };
  await pollUntil(examine, { deadlineMs: examinationMs, intervalMs: pollMs });
  return found;
}

/** Finds users without opening the device: mounts in other namespaces are not among them. */
export async function visibleUsers(kernelName: string): Promise<DeviceUsers> {
  return usersOfParts(await partsOf(join('/sys/block', kernelName)));
}

/** `names` are further paths of the device: without udev a device-mapper map has a node of its own beside the kernel's. */
async function usersOfParts(parts: readonly Part[], names: readonly string[] = []): Promise<DeviceUsers> {
  if (parts.length === 0) return { users: [], isLasting: false, unreadable: 0 };
  const { numbers, paths } = namesOf(parts);
  const { openers, unreadable } = await openersOf(new Set([...paths, ...names]), numbers);
  const lasting = await kernelUsers(parts);
  return { users: [...lasting, ...openers], isLasting: lasting.length > 0, unreadable };
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
  const { numbers, paths } = namesOf(parts);
  const mounts = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'), numbers, paths);
  const rows = (await readFile('/proc/swaps', 'utf8')).split('\n').slice(1);
  const swaps = rows.map((row) => unescaped(row.split(/\s/)[0] ?? ''));
  const isOurs = await Promise.all(swaps.map((swap) => isAmong(swap, paths, numbers)));
  return [
    ...mounts.map((mountPoint) => `mounted on ${mountPoint}`),
    ...swaps.filter((_, index) => isOurs[index]).map((swap) => `swap on ${swap} (to release it: swapoff ${swap})`),
    ...(await Promise.all(parts.flatMap((part) => part.holders).map(describeHolder))),
    ...(await loopsOver(paths, numbers)).map(
      (name) => `backing file of /dev/${name} (to release it: losetup --detach /dev/${name})`,
    ),
    ...(await targetsOver(paths, numbers)),
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

/**
 * Returns the mount points of the devices with these "major:minor" numbers; see proc(5) for the table. btrfs has numbers of its own:
 * its mounts are found by the path of the device.
 */
export function mountPoints(
  mountinfo: string,
  numbers: ReadonlySet<string>,
  paths: ReadonlySet<string> = new Set(),
): string[] {
  return mountinfo
    .split('\n')
    .map((row) => row.split(' '))
    .filter((fields) => numbers.has(fields[2] ?? '') || paths.has(unescaped(fields[fields.indexOf('-', 6) + 2] ?? '')))
    .map((fields) => unescaped(fields[4] ?? ''));
}

interface Part {
  path: string;
  /** "major:minor" */
  number: string;
  holders: string[];
}

function namesOf(parts: readonly Part[]): { numbers: Set<string>; paths: Set<string> } {
  return { numbers: new Set(parts.map(({ number }) => number)), paths: new Set(parts.map(({ path }) => path)) };
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
