import { constants } from 'node:fs';
import { open, readFile, readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';

/**
 * Who uses a block device of this host, in words: where it or a partition of it is mounted, which devices and swap lie
 * on it, which processes have it open. Empty when nobody does. `kernelName` is its name under /sys/block.
 */
export async function blockDeviceUsers(kernelName: string): Promise<string[]> {
  const users = await visibleUsers(kernelName);
  if (users.length > 0) return users;
  return (await isClaimed(`/dev/${kernelName.replaceAll('!', '/')}`))
    ? ['mounted, or used by the kernel, in another namespace']
    : [];
}

/** The same without opening the device: those that other namespaces hide are not found. */
export async function visibleUsers(kernelName: string): Promise<string[]> {
  const parts = await partsOf(kernelName);
  const numbers = new Set(parts.map((part) => part.number));
  const paths = new Set(parts.map((part) => part.path));
  const mounts = mountPoints(await readFile('/proc/self/mountinfo', 'utf8'), numbers);
  const swaps = (await readFile('/proc/swaps', 'utf8')).split('\n').map((row) => row.split(/\s/)[0] ?? '');
  return [
    ...mounts.map((mountPoint) => `mounted on ${mountPoint}`),
    ...swaps.filter((swap) => paths.has(swap)).map((swap) => `swap on ${swap}`),
    ...parts.flatMap((part) => part.holders.map((holder) => `part of ${holder}`)),
    ...(await openers(paths)),
  ];
}

/** Mount points of the devices with these "major:minor" numbers; see proc(5) for the table. */
export function mountPoints(mountinfo: string, numbers: ReadonlySet<string>): string[] {
  return mountinfo
    .split('\n')
    .map((row) => row.split(' '))
    .filter((fields) => numbers.has(fields[2] ?? ''))
    .map((fields) =>
      (fields[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    );
}

interface Part {
  path: string;
  number: string;
  holders: string[];
}

/** The device and its partitions. */
async function partsOf(kernelName: string): Promise<Part[]> {
  const device = join('/sys/block', kernelName);
  const names = await readdir(device);
  const partitions = names.filter((name) => name.startsWith(kernelName)).map((name) => join(device, name));
  return Promise.all(
    [device, ...partitions].map(async (directory) => ({
      path: `/dev/${basename(directory).replaceAll('!', '/')}`,
      number: (await readFile(join(directory, 'dev'), 'utf8')).trim(),
      holders: await readdir(join(directory, 'holders')),
    })),
  );
}

async function openers(paths: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (!(await hasOpen(pid, paths))) continue;
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(unlessGone(''));
    if (name !== '') found.push(`open in ${name.trim()}, process ${pid}`);
  }
  return found;
}

async function hasOpen(pid: string, paths: ReadonlySet<string>): Promise<boolean> {
  const none: string[] = [];
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(unlessGone(none));
  const targets = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`).catch(unlessGone(''))),
  );
  return targets.some((target) => paths.has(target));
}

/** A mount in another mount namespace is in no table of ours, but the kernel refuses to open its device exclusively. */
async function isClaimed(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EBUSY') return true;
    if (code === 'ENODEV' || code === 'ENXIO' || code === 'ENOENT') return false; // down: it opens for nobody
    throw error;
  }
}

/** A process may end while it is looked at. */
function unlessGone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return instead;
    throw error;
  };
}
