import { parseAddress, tryParseAddress } from '../../aoe/address.ts';
import { ethernetAddresses } from '../../aoe/ethernet.ts';
import { errors } from '../../errors.ts';
import type { ExportSpec, FoundExport } from '../target.ts';

/**
 * When a write is acknowledged: `sync` once it is on the disk, `direct` once the disk has it (perhaps in its own cache),
 * `cached` once this node has it in memory, which a power loss takes away. vblade acknowledges a flush without syncing,
 * so only with `sync` does the fsync of a guest mean anything.
 */
export type Durability = 'sync' | 'direct' | 'cached';

const durabilityFlags: Record<Durability, readonly string[]> = {
  sync: ['-d', '-s'],
  direct: ['-d'],
  cached: [],
};

/** vblade keeps its list in an array of this length and writes past its end. */
const maxHosts = 32;

/**
 * Returns the arguments of vblade for an export. The same export always gives the same list, so that two lists tell
 * whether a running vblade is as specified. vblade itself checks none of the ranges. Throws InvalidArgument.
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

/** Returns what a vblade with these arguments exports, whoever wrote them; undefined when they are not vblade's. */
export function parseArguments(args: readonly string[]): Omit<FoundExport, 'id'> | undefined {
  const [shelf = '', slot = '', , path] = args.slice(-4);
  const numbers = /^\d+ \d+$/.test(`${shelf} ${slot}`) ? { shelf: Number(shelf), slot: Number(slot) } : undefined;
  const address = numbers && `e${numbers.shelf}.${numbers.slot}`;
  if (address === undefined || path === undefined || !tryParseAddress(address)) return undefined;
  const options = args.slice(0, -4);
  const list = options.includes('-m') ? (options[options.indexOf('-m') + 1] ?? '') : '';
  return { address, path, readOnly: options.includes('-r'), hosts: hostsIn(list) };
}

/** An entry that vblade itself passes over is not in its list. */
function hostsIn(list: string): string[] {
  return ethernetAddresses(
    list.split(',').filter((host) => /^[0-9a-f]{12}$|^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(host)),
  );
}
