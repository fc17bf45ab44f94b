import { errors } from '../../errors.ts';
import type { ExportSpec } from '../target.ts';

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

/** The highest numbers are the protocol's broadcast addresses. */
const lastShelf = 0xfffe;
const lastSlot = 0xfe;
/** vblade keeps its list in an array of this length and writes past its end. */
const mostMacs = 32;

/**
 * The arguments of vblade for an export. The same export always gives the same list, so that two lists tell whether a
 * running vblade is as specified. vblade itself checks none of the ranges. Throws InvalidArgument.
 */
export function vbladeArguments(spec: ExportSpec, networkInterface: string, durability: Durability): string[] {
  checkNumber('shelf', spec.shelfId, lastShelf);
  checkNumber('slot', spec.bladeId, lastSlot);
  if (!spec.path.startsWith('/')) throw errors.invalidArgument('path', spec.path, 'an absolute path');
  const macs = [...new Set(spec.macs.map(plainMac))].toSorted();
  if (macs.length > mostMacs) {
    throw errors.invalidArgument('the number of Ethernet addresses', macs.length, `at most ${mostMacs}`);
  }
  return [
    ...durabilityFlags[durability],
    ...(spec.readOnly ? ['-r'] : []),
    ...(macs.length > 0 ? ['-m', macs.join(',')] : []),
    String(spec.shelfId),
    String(spec.bladeId),
    networkInterface,
    spec.path,
  ];
}

/** Number and path from a vblade's arguments, whoever wrote them; undefined when they are none. */
export function parseArguments(
  args: readonly string[],
): { shelfId: number; bladeId: number; path: string } | undefined {
  const [shelf, slot, , path] = args.slice(-4);
  if (shelf === undefined || slot === undefined || path === undefined) return undefined;
  if (!/^\d+$/.test(shelf) || !/^\d+$/.test(slot)) return undefined;
  return { shelfId: Number(shelf), bladeId: Number(slot), path };
}

function checkNumber(name: string, value: number, last: number): void {
  if (!Number.isInteger(value) || value < 0 || value > last) {
    throw errors.invalidArgument(name, value, `a whole number from 0 to ${last}`);
  }
}

/** Twelve small hexadecimal digits from aa:bb:cc:dd:ee:ff, with - or nothing in place of the colons. */
function plainMac(mac: string): string {
  const digits = /^[0-9a-f]{12}$|^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i.test(mac);
  if (!digits) throw errors.invalidArgument('Ethernet address', mac, 'of the form aa:bb:cc:dd:ee:ff');
  return mac.replaceAll(/[:-]/g, '').toLowerCase();
}
