import { hostAddresses } from '../lib/aoe/ethernet.ts';
import { errors } from '../lib/errors.ts';
import { initiatorNames } from '../lib/iscsi/address.ts';
import { checkText, isUuid } from '../lib/models/check-text.ts';
import { hostNqns } from '../lib/nvme/address.ts';
import { maxSize } from '../lib/volume-size.ts';

/** Returns the size in GiB; text that is not a number is returned as it is, so that InvalidSize can name it. */
export function sizeOf(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Parses seconds and returns milliseconds. Throws InvalidArgument. */
export function milliseconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds <= 0) throw errors.invalidArgument('timeout', text, 'a number of seconds greater than 0');
  return seconds * 1000;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const longestMs = 365 * 86_400_000;

/** Parses a length of time such as 90s, 30m, 24h or 7d, a year at most, and returns milliseconds. Throws InvalidArgument. */
export function lengthOfTime(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (unitsMs[unit] ?? 0);
  if (ms > 0 && ms <= longestMs) return ms;
  throw errors.invalidArgument('time', text, 'a length of time such as 30m, 24h or 7d, up to 365d');
}

/** Parses a positive whole number. Throws InvalidArgument. */
export function atLeastOne(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw errors.invalidArgument('limit', text, 'a whole number of at least 1');
  return Number(text);
}

/** Parses the size of a volume that an image is for, in GiB. Throws InvalidArgument. */
export function minDiskOf(text: string): number {
  const size = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  if (size > 0 && size <= maxSize) return size;
  throw errors.invalidArgument('min-disk', text, `a whole number of GiB from 1 to ${maxSize}, which volumes have`);
}

/** Of `<n>`, `<n>KiB`, `<n>MiB` or `<n>GiB`: bytes. Throws InvalidArgument. */
export function bytesOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})(|KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = digits === '' ? Number.NaN : Number(digits) * 1024 ** ['', 'KiB', 'MiB', 'GiB'].indexOf(unit);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw errors.invalidArgument(
    'bandwidth',
    text,
    'a number of bytes, KiB, MiB or GiB, of at most 12 digits, such as 50MiB',
  );
}

/** Throws InvalidArgument. */
export function operationsPerSecond(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw errors.invalidArgument('iops', text, 'a whole number up to 999999999, 0 for no limit');
}

/** Returns the UUID in lower case. Throws InvalidArgument. */
export function uuid(text: string): string {
  if (!isUuid(text)) throw errors.invalidArgument('id', text, 'a UUID');
  return text.toLowerCase();
}

/** Returns a parser of the text of that option. It throws InvalidArgument. */
export function textOf(option: string): (text: string) => string {
  return (text) => checkText(option, text);
}

/** Parses Ethernet addresses separated by commas. Throws InvalidArgument. */
export function ethernetAddressList(text: string): string[] {
  return hostAddresses(text.split(',').map((address) => address.trim()));
}

/** Parses initiator names separated by commas. Throws InvalidArgument. */
export function initiatorNameList(text: string): string[] {
  return initiatorNames(text.split(','));
}

/** Parses names of NVMe hosts separated by commas. Throws InvalidArgument. */
export function hostNqnList(text: string): string[] {
  return hostNqns(text.split(','));
}

/** Collects the values of an option that can be repeated. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** Collects the values of an option that can be repeated. */
export function collectText(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text];
}

/** Returns a parser that collects the `key=value` of an option that can be repeated, each key once. It throws InvalidArgument. */
export function keyAndValue(
  what: 'metadata' | 'requirement',
): (text: string, previous?: Readonly<Record<string, string>>) => Readonly<Record<string, string>> {
  return (text, previous = {}) => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined) throw errors.invalidArgument(what, text, 'a key=value');
    const earlier = Object.hasOwn(previous, key) ? previous[key] : undefined;
    if (earlier !== undefined) throw errors.keyRepeated(what, key, [earlier, value]);
    return { ...previous, [key]: value };
  };
}

/** Throws InvalidArgument for a key that one command would both set and remove. */
export function refuseSetAndUnset(
  metadata: Readonly<Record<string, string>> = {},
  unset: readonly string[] = [],
): void {
  const both = unset.find((key) => Object.hasOwn(metadata, key));
  if (both !== undefined) throw errors.setAndUnset(both, metadata[both] ?? '');
}
