import { readdir } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { absentAs } from '../files.ts';
import { type Portal, tryParsePortal } from './address.ts';
import { canonicalIp } from './canonical-ip.ts';

/** The part of configfs that lists objects; paths are relative to the directory of the kernel's target. */
export interface ObjectList {
  /** None for an object that does not exist. */
  directories(path: string): Promise<string[]>;
}

/** What of the kernel's own target (LIO) is in the way of a portal. */
export interface KernelPortal {
  /** Whether it is on just that address, and not on all: the kernel lets its own targets share a portal. */
  isSame: boolean;
  /** For a message. */
  description: string;
}

const directory = '/sys/kernel/config/target';
const ofThisMachine: ObjectList = {
  directories: async (path) => {
    const entries = await absentAs([], readdir(join(directory, path), { withFileTypes: true }));
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  },
};

/** Returns what of the kernel's own target listens where the portal would. Its listeners belong to no process. */
export async function kernelPortalOn(
  portal: Portal,
  objects: ObjectList = ofThisMachine,
): Promise<KernelPortal | undefined> {
  for (const target of await objects.directories('iscsi')) {
    const groups = (await objects.directories(`iscsi/${target}`)).filter((name) => /^tpgt_\d+$/.test(name));
    for (const group of groups) {
      for (const text of await objects.directories(`iscsi/${target}/${group}/np`)) {
        const found = tryParsePortal(text.toLowerCase());
        const ip = found && canonicalIp(found.ip);
        if (!ip || found.port !== portal.port || !(ip === portal.ip || isOfAll(ip, portal))) continue;
        return { isSame: ip === portal.ip, description: `the kernel's iSCSI target ${target}, at ${text},` };
      }
    }
  }
  return undefined;
}

/** All addresses of IPv6 are those of IPv4 as well. */
function isOfAll(ip: string, portal: Portal): boolean {
  return ip === '::' || (ip === '0.0.0.0' && !isIPv6(portal.ip));
}
