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
export function throttleOf({ iops, bytesPerSecond, ofHost = {} }: Limits): [name: string, limit: number][] {
  const limited = Object.entries({ iops, bytes: bytesPerSecond });
  // libvirt takes either a total or both parts.
  const isTotal = (what: string) => Object.keys(ofHost).some((name) => name.startsWith(`total_${what}_sec`));
  const ofStorage = limited.flatMap(([what, limit]) =>
    limit === undefined || isTotal(what)
      ? []
      : ['read', 'write'].map((way): [string, number] => [`${way}_${what}_sec`, limit]),
  );
  const own = Object.entries(ofHost).filter(([name, limit]) => throttleForm.test(name) && /^[1-9]\d*$/.test(limit));
  return [...new Map([...ofStorage, ...own.map(([name, limit]): [string, number] => [name, Number(limit)])])];
}

/** As libvirt names the limits of a disk. */
const throttleForm = /^(?:total|read|write)_(?:bytes|iops)_sec(?:_max(?:_length)?)?$/;

/** Returns the options of "virsh blkdeviotune" that give a disk these limits in place of all others: 0 is none. */
export function throttleOptions(limits: Limits): string[] {
  const given = new Map(throttleOf(limits));
  const none = throttleOf({ iops: 0, bytesPerSecond: 0 }).map(([name]) => name);
  const names = new Set([...none, 'total_iops_sec', 'total_bytes_sec', ...given.keys()]);
  return [...names].flatMap((name) => [`--${name.replaceAll('_', '-')}`, String(given.get(name) ?? 0)]);
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
