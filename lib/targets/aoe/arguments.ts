import { parseAddress, tryFormatAddress } from '../../aoe/address.ts';
import { ethernetAddresses, maxHosts } from '../../aoe/ethernet.ts';
import { errors } from '../../errors.ts';
import type { ExportSpec, FoundExport } from '../target.ts';

/**
 * When a write is acknowledged: `sync` once it is on the disk, `direct` once the disk has it (possibly in its own cache),
 * `cached` once it is in this node's memory, which a power loss clears. vblade acknowledges a flush without syncing, so the
 * fsync of a guest is only effective with `sync`.
 */
export type Durability = 'sync' | 'direct' | 'cached';

const durabilityFlags: Record<Durability, readonly string[]> = {
  sync: ['-d', '-s'],
  direct: ['-d'],
  cached: [],
};

/**
 * Returns the arguments of vblade for an export. The same export always has the same list, so that a running vblade
 * can be compared. vblade itself checks none of the ranges. Throws InvalidArgument.
 */
export function vbladeArguments(spec: ExportSpec, networkInterface: string, durability: Durability): string[] {
  const { shelf, slot } = parseAddress(spec.address);
  if (!spec.path.startsWith('/')) throw errors.invalidArgument('path', spec.path, 'an absolute path');
  const hosts = ethernetAddresses(spec.hosts);
  if (hosts.length > maxHosts) {
    throw errors.invalidArgument('the number of Ethernet addresses', hosts.length, `at most ${maxHosts}`);
  }
  return [
    ...durabilityFlags[durability],
    ...(spec.readOnly ? ['-r'] : []),
    ...(hosts.length > 0 ? ['-m', hosts.map((host) => host.replaceAll(':', '')).join(',')] : []),
    String(shelf),
    String(slot),
    networkInterface,
    spec.path,
  ];
}

/**
 * Returns arguments as vblade was started with, from those that /proc shows: it cuts its list of hosts at the commas in place, so that
 * each host appears as an argument of its own.
 */
export function wholeList(args: readonly string[]): string[] {
  const begin = args.indexOf('-m') + 1;
  const end = args.findIndex((argument, index) => index > begin && !/^[0-9a-f]{12}$/i.test(argument));
  if (begin === 0 || end < 0) return [...args];
  return [...args.slice(0, begin), args.slice(begin, end).join(','), ...args.slice(end)];
}

/** Returns the export of a vblade with these arguments; undefined for arguments of another program. */
export function parseArguments(args: readonly string[]): Omit<FoundExport, 'id'> | undefined {
  const [shelf = '', slot = '', , path] = args.slice(-4);
  const numbers = /^\d+ \d+$/.test(`${shelf} ${slot}`) ? { shelf: Number(shelf), slot: Number(slot) } : undefined;
  const address = numbers && tryFormatAddress(numbers);
  if (address === undefined || path === undefined) return undefined;
  const options = args.slice(0, -4);
  const list = options.includes('-m') ? (options[options.indexOf('-m') + 1] ?? '') : '';
  return { address, path, readOnly: options.includes('-r'), hosts: hostsIn(list) };
}

/** Drops entries that vblade itself ignores. */
function hostsIn(list: string): string[] {
  return ethernetAddresses(
    list.split(',').filter((host) => /^[0-9a-f]{12}$|^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(host)),
  );
}
