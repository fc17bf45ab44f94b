import { errors } from '../errors.ts';

/**
 * The AoE address type, `e<shelf>.<slot>`: what targets export and hosts connect. All other code handles an address as
 * opaque text; this is the only file that knows its form, its arithmetic and the names of the kernel's devices.
 */
export interface AoeAddress {
  shelf: number;
  slot: number;
}

/** The highest numbers are broadcast addresses of the protocol. */
export const lastShelf = 0xfffe;
export const lastSlot = 0xfe;
const slotsPerScore = 256;

export const deviceDirectory = '/dev/etherd';

/** Returns undefined for any text that is not the canonical form of a valid address. */
export function tryParseAddress(text: string): AoeAddress | undefined {
  const [, shelf, slot] = /^e(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const address = { shelf: Number(shelf), slot: Number(slot) };
  return isInRange(address) ? address : undefined;
}

/** Returns an address of the pool as it is, and '' for one of another target's form. */
export function pooledAddress(text: string): string {
  return tryParseAddress(text) ? text : '';
}

/** Throws InvalidArgument. */
export function parseAddress(text: string): AoeAddress {
  const address = tryParseAddress(text);
  if (address) return address;
  throw errors.invalidArgument(
    'AoE address',
    text,
    `of the form e<shelf>.<slot>, shelf 0 to ${lastShelf}, slot 0 to ${lastSlot}`,
  );
}

/** Throws InvalidArgument when shelf or slot is out of range. */
export function formatAddress({ shelf, slot }: AoeAddress): string {
  const text = `e${shelf}.${slot}`;
  parseAddress(text);
  return text;
}

/** Returns undefined when shelf or slot is out of range. */
export function tryFormatAddress(address: AoeAddress): string | undefined {
  return isInRange(address) ? formatAddress(address) : undefined;
}

/** Returns a whole number that orders addresses by shelf, then slot. */
export function addressScore({ shelf, slot }: AoeAddress): number {
  return shelf * slotsPerScore + slot;
}

/** For sorting: negative when `one` comes before `other`. Throws InvalidArgument. */
export function compareAddresses(one: string, other: string): number {
  return addressScore(parseAddress(one)) - addressScore(parseAddress(other));
}

/** Throws InvalidArgument. */
export function shelfOf(address: string): number {
  return parseAddress(address).shelf;
}

/** Returns the first `count` addresses of a shelf. Throws InvalidArgument. */
export function addressesOfShelf(shelf: number, count: number): string[] {
  return Array.from({ length: count }, (_, slot) => formatAddress({ shelf, slot }));
}

/** Returns the block device that the aoe module of an attached host creates. Throws InvalidArgument. */
export function devicePath(address: string): string {
  return `${deviceDirectory}/${formatAddress(parseAddress(address))}`;
}

/** Returns the device's name in sysfs, which has ! in place of the slash. Throws InvalidArgument. */
export function kernelName(address: string): string {
  return `etherd!${formatAddress(parseAddress(address))}`;
}

function isInRange({ shelf, slot }: AoeAddress): boolean {
  return shelf >= 0 && shelf <= lastShelf && slot >= 0 && slot <= lastSlot;
}
