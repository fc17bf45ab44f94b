import { realpath, stat } from 'node:fs/promises';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import { readIfExists } from '../../files.ts';
import type { Processes } from '../../process.ts';

/** A block device, by its own name. */
export interface Disk {
  device: string;
  /** Major and minor number. */
  number: string;
}

/** Returns each disk once, though it may be listed by several names. Throws StorageUnusable. */
export async function distinctDisks(devices: readonly string[]): Promise<Disk[]> {
  const disks = new Map<string, Disk>();
  for (const device of devices) {
    const found = await stat(device);
    if (!found.isBlockDevice()) throw errors.storageUnusable(device, 'it is not a block device');
    const number = deviceNumber(found.rdev);
    if (!disks.has(number)) disks.set(number, { device: await realpath(device), number });
  }
  return [...disks.values()];
}

/** As the kernel writes it in /sys: stat has both parts in one number. */
function deviceNumber(rdev: number): string {
  return `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
}

/** LVM refuses a group of disks with different sectors only after it has written to them. Throws StorageUnusable. */
export async function checkSectors(disks: readonly Disk[]): Promise<void> {
  const sizes = await Promise.all(disks.map(sectorBytes));
  if (new Set(sizes).size <= 1) return;
  throw errors.sectorsDiffer(disks.map(({ device }, index) => `${device} (${sizes[index]} bytes)`));
}

/** A partition has no queue of its own, but its disk's. */
async function sectorBytes({ number }: Disk): Promise<number> {
  const directory = await realpath(`/sys/dev/block/${number}`);
  const name = 'queue/logical_block_size';
  const text = (await readIfExists(`${directory}/${name}`)) ?? (await readIfExists(`${directory}/../${name}`));
  return Number(text ?? 512);
}

/** A disk that carries anything at all is somebody's. Throws StorageUnusable. */
export async function checkEmpty(processes: Processes, device: string): Promise<void> {
  try {
    const { stdout } = await processes.run('wipefs', ['--no-act', '--parsable', device], { asRoot: true });
    const rows = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const signatures = rows.map((row) => row.split(',').at(-1)).join(', ');
    if (signatures !== '') throw errors.storageUnusable(device, `it carries data (${signatures})`);
  } catch (error) {
    if (error instanceof CommandError && !error.failure.notFound) {
      throw errors.storageUnusable(device, error.failure.stderr.trim() || error.message);
    }
    throw error;
  }
}
