import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, readAttribute } from '../files.ts';
import type { Portal } from '../iscsi/address.ts';

/** What the kernel has connected by NVMe over TCP, from /sys: names are looked up each time, for they change hands. */

/** A connection with a subsystem. */
export interface NvmeController {
  /** Such as nvme0. */
  name: string;
  isLive: boolean;
  /** undefined for one that the kernel shows in another way. */
  portal: Portal | undefined;
}

export interface NvmeDisk {
  /** Name under /sys/block, such as nvme0n1: with multipath of the kernel it is that of all connections together. */
  name: string;
  namespace: number;
  bytes: number;
  /** undefined where the target has told none. */
  uuid: string | undefined;
}

/** Returns the connections of this host with a subsystem, at whichever portal. */
export async function controllersOf(nqn: string, system = '/sys'): Promise<NvmeController[]> {
  const found = (await withNqn(join(system, 'class/nvme'), nqn)).map(async (directory) => {
    const [state, address] = await Promise.all([attribute(directory, 'state'), attribute(directory, 'address')]);
    const name = directory.slice(directory.lastIndexOf('/') + 1);
    return { name, isLive: state === 'live', portal: portalIn(address ?? '') };
  });
  return Promise.all(found);
}

/** Returns the block devices of a subsystem. */
export async function disksOf(nqn: string, system = '/sys'): Promise<NvmeDisk[]> {
  const classes = ['class/nvme-subsystem', 'class/nvme'].map((name) => withNqn(join(system, name), nqn));
  const found = new Map<string, NvmeDisk>();
  for (const directory of (await Promise.all(classes)).flat()) {
    const names = (await absentAs([], readdir(directory))).filter((name) => /^nvme\d+n\d+$/.test(name));
    for (const name of names) found.set(name, await diskAt(join(directory, name), name));
  }
  return [...found.values()];
}

async function diskAt(directory: string, name: string): Promise<NvmeDisk> {
  const [size, namespace, uuid] = await Promise.all(['size', 'nsid', 'uuid'].map((one) => attribute(directory, one)));
  return { name, namespace: Number(namespace ?? 0), bytes: Number(size ?? 0) * 512, uuid };
}

async function withNqn(directory: string, nqn: string): Promise<string[]> {
  const paths = (await absentAs([], readdir(directory))).map((name) => join(directory, name));
  const names = await Promise.all(paths.map((path) => attribute(path, 'subsysnqn')));
  return paths.filter((_, index) => names[index] === nqn);
}

async function attribute(directory: string, name: string): Promise<string | undefined> {
  return (await readAttribute(join(directory, name)))?.trim();
}

/** Text like `traddr=192.0.2.7,trsvcid=4420,src_addr=192.0.2.8`. */
function portalIn(address: string): Portal | undefined {
  const value = (name: string) => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(address)?.[1];
  const [ip, port] = [value('traddr'), value('trsvcid')];
  return ip === undefined || port === undefined ? undefined : { ip, port: Number(port) };
}
