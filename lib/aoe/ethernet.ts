import { errors } from '../errors.ts';

/** Six bytes, as aa:bb:cc:dd:ee:ff, with - or nothing in place of the colons, in any case. */
const forms = /^[0-9a-f]{12}$|^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i;

/** Hosts that an export can be restricted to: vblade stores its list in an array of this length without checking it. */
export const maxHosts = 32;

export function isEthernetAddress(text: string): boolean {
  return forms.test(text);
}

/** Returns aa:bb:cc:dd:ee:ff in lower case. Throws InvalidArgument. */
export function parseEthernetAddress(text: string): string {
  if (!isEthernetAddress(text)) throw errors.invalidArgument('Ethernet address', text, 'of the form aa:bb:cc:dd:ee:ff');
  const digits = text.replaceAll(/[:-]/g, '').toLowerCase();
  return digits.replaceAll(/(..)(?=.)/g, '$1:');
}

/** Returns the canonical form of an address that a frame can come from. Throws InvalidArgument for one of a group of machines, and for zero. */
function parseSourceAddress(text: string): string {
  const address = parseEthernetAddress(text);
  const isGroup = (Number.parseInt(address.slice(0, 2), 16) & 1) === 1;
  if (!isGroup && address !== '00:00:00:00:00:00') return address;
  throw errors.invalidArgument(
    'Ethernet address',
    text,
    'the address of one machine: it is zero, broadcast or multicast',
  );
}

/** Returns the addresses of hosts that an export is restricted to, as ethernetAddresses() does. Throws InvalidArgument. */
export function hostAddresses(texts: readonly string[]): string[] {
  return ethernetAddresses(texts.map(parseSourceAddress));
}

/** Returns the addresses in canonical form, sorted, without duplicates: lists that admit the same hosts are equal. */
export function ethernetAddresses(texts: readonly string[]): string[] {
  return [...new Set(texts.map(parseEthernetAddress))].toSorted();
}
