import { errors } from '../errors.ts';

/** Six bytes, as aa:bb:cc:dd:ee:ff, with - or nothing in place of the colons, in any case. */
const forms = /^[0-9a-f]{12}$|^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i;

/** Returns aa:bb:cc:dd:ee:ff in small letters. Throws InvalidArgument. */
export function parseEthernetAddress(text: string): string {
  if (!forms.test(text)) throw errors.invalidArgument('Ethernet address', text, 'of the form aa:bb:cc:dd:ee:ff');
  const digits = text.replaceAll(/[:-]/g, '').toLowerCase();
  return digits.replaceAll(/(..)(?=.)/g, '$1:');
}

/** Each once, in their canonical form, sorted: two such lists are equal when they admit the same hosts. */
export function ethernetAddresses(texts: readonly string[]): string[] {
  return [...new Set(texts.map(parseEthernetAddress))].toSorted();
}
