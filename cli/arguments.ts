import { errors } from '../lib/errors.ts';

/** Whole GiB as typed; what is not a number stays text, for InvalidSize to name it. */
export function sizeOf(typed: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
}

/** Seconds as typed, in milliseconds. Throws InvalidArgument. */
export function milliseconds(typed: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(typed) ? Number(typed) : 0;
  if (seconds <= 0) throw errors.invalidArgument('timeout', typed, 'a number of seconds greater than 0');
  return seconds * 1000;
}

/** Throws InvalidArgument. */
export function atLeastOne(typed: string): number {
  if (!/^[1-9]\d*$/.test(typed)) throw errors.invalidArgument('limit', typed, 'a whole number of at least 1');
  return Number(typed);
}

/** Throws InvalidArgument. */
export function uuid(typed: string): string {
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(typed);
  if (!isUuid) throw errors.invalidArgument('id', typed, 'a UUID');
  return typed.toLowerCase();
}

/** Throws InvalidArgument. */
export function volumeName(typed: string): string {
  if (!/^\P{Cc}{1,255}$/u.test(typed)) throw errors.invalidArgument('name', typed, '1 to 255 printable characters');
  return typed;
}

/** Ethernet addresses, separated by commas. Throws InvalidArgument. */
export function ethernetAddresses(typed: string): string[] {
  const addresses = typed.split(',').map((address) => address.trim().toLowerCase());
  const wrong = addresses.find((address) => !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(address));
  if (wrong !== undefined) throw errors.invalidArgument('mac', wrong, 'an Ethernet address such as 52:54:00:12:34:56');
  return addresses;
}

/** An option that may be given several times. */
export function collect(typed: string, before: readonly string[] = []): string[] {
  return [...before, typed];
}
