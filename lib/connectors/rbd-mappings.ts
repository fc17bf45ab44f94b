import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, readAttribute } from '../files.ts';
import type { RbdAddress } from '../rbd/address.ts';

/** An image that the kernel has as a block device, as it says in /sys/bus/rbd/devices. */
export interface RbdMapping {
  /** The kernel's name of the device, such as rbd0. */
  device: string;
  /** Identity of the cluster; '' where the kernel is too old to say it. */
  fsid: string;
  bytes: number;
}

/** Returns the mappings of an image itself, not of its snapshots. */
export async function mappingsOf({ pool, image }: RbdAddress, system: string): Promise<RbdMapping[]> {
  const directory = join(system, 'bus/rbd/devices');
  const found = (await absentAs([], readdir(directory))).map(async (number) => {
    const value = async (name: string) => ((await readAttribute(join(directory, number, name))) ?? '').trim();
    const isOurs =
      (await value('name')) === image && (await value('pool')) === pool && (await value('current_snap')) === '-';
    if (!isOurs) return [];
    return [{ device: `rbd${number}`, fsid: await value('cluster_fsid'), bytes: Number((await value('size')) || 0) }];
  });
  return (await Promise.all(found)).flat();
}
