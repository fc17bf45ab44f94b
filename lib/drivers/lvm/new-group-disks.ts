import { realpath, stat } from 'node:fs/promises';
import { CommandError } from '../../command-error.ts';
import { deviceNumber, sectorBytes } from '../../devices/sectors.ts';
import { kernelUsersOf } from '../../devices/users.ts';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';

/** Returns the own name of each disk, once, though it may be listed by several. Throws StorageUnusable. */
export async function distinctDisks(devices: readonly string[]): Promise<string[]> {
  const disks = new Map<string, string>();
  for (const device of devices) {
    const found = await stat(device);
    if (!found.isBlockDevice()) throw errors.storageUnusable(device, 'it is not a block device');
    const number = deviceNumber(found.rdev);
    if (!disks.has(number)) disks.set(number, await realpath(device));
  }
  return [...disks.values()];
}

/** LVM refuses a group of disks with different sectors only after it has written to them. Throws StorageUnusable. */
export async function checkSectors(disks: readonly string[]): Promise<void> {
  const sizes = await Promise.all(disks.map(sectorBytes));
  if (new Set(sizes).size <= 1) return;
  throw errors.sectorsDiffer(disks.map((device, index) => `${device} (${sizes[index]} bytes)`));
}

/** A disk that carries anything but the allowed signatures is somebody's. Throws StorageUnusable. */
export async function checkEmpty(processes: Processes, device: string, allowed: readonly string[]): Promise<void> {
  const users = await kernelUsersOf(device);
  if (users.length > 0) throw errors.storageInUse(device, users);
  try {
    const { stdout } = await processes.run('wipefs', ['--no-act', '--parsable', device], { asRoot: true });
    const rows = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const signatures = rows.map((row) => row.split(',').at(-1) ?? '').filter((name) => !allowed.includes(name));
    if (signatures.length > 0) throw errors.storageUnusable(device, `it carries data (${signatures.join(', ')})`);
  } catch (error) {
    if (error instanceof CommandError && !error.failure.notFound) {
      throw errors.storageUnusable(device, error.failure.stderr.trim() || error.message);
    }
    throw error;
  }
}
