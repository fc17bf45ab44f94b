import type { Limits } from '../models/limits.ts';

/** A volume that QEMU reaches over the network by itself, without a device of its host. */
export interface NetworkSource {
  protocol: 'rbd' | 'sheepdog';
  /** Of the image; in Ceph with its pool. */
  name: string;
  /** Monitors or daemons of the storage. */
  hosts: readonly { name: string; port: string }[];
  /** A user of the storage, and the UUID of the libvirt secret with its key. */
  auth?: { user: string; secretUuid: string };
}

/** The path of a block device of this host, or what a guest reaches without one. */
export type DiskSource = string | NetworkSource;

export interface DiskOptions {
  readOnly?: boolean;
  /** What the guest sees as the serial number of the disk: virtio has 20 characters of it. Default: none. */
  serial?: string;
  /** How much the guest can use it. Default: without limits. */
  limits?: Limits;
}

/** Returns what a domain's definition names the source by. */
export function nameOf(source: DiskSource): string {
  return typeof source === 'string' ? source : source.name;
}

/** Limits by the names of libvirt: for reads and writes each. */
export function throttleOf({ iops, bytesPerSecond }: Limits): [name: string, limit: number][] {
  const limited = Object.entries({ iops, bytes: bytesPerSecond });
  return limited.flatMap(([what, limit]) =>
    limit === undefined ? [] : ['read', 'write'].map((way): [string, number] => [`${way}_${what}_sec`, limit]),
  );
}

/** Returns the options of "virsh blkdeviotune" that give a disk these limits in place of all others: 0 is none. */
export function throttleOptions(limits: Limits): string[] {
  const given = new Map(throttleOf(limits));
  return throttleOf({ iops: 0, bytesPerSecond: 0 }).flatMap(([name, none]) => [
    `--${name.replaceAll('_', '-')}`,
    String(given.get(name) ?? none),
  ]);
}

const blockOptions =
  '--sourcetype block --targetbus virtio --driver qemu --subdriver raw --cache none --io native'.split(' ');

/** Returns the options of "virsh attach-disk" for a block device. */
export function attachOptions({ readOnly = false, serial }: DiskOptions): string[] {
  return [
    ...blockOptions,
    ...(readOnly ? ['--mode', 'readonly'] : []),
    ...(serial === undefined ? [] : ['--serial', serial]),
  ];
}
