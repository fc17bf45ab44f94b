import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockstoreError, errors } from '../../errors.ts';
import { errorCode, readIfExistsSync } from '../../files.ts';

const interfaces = '/sys/class/net';
const isUp = 1; // IFF_UP

/**
 * Returns whether the interface is running. Throws InterfaceDown when it does not exist or is not up. An interface without a
 * carrier (no cable, a bridge without ports) is no failure: exports start and wait for the other side.
 */
export function checkInterface(name: string): 'running' | 'noCarrier' {
  const { error } = interfaceState(name);
  if (error) throw error;
  const state = attribute(name, 'operstate')?.trim();
  // Loopback and some virtual interfaces report "unknown".
  return state === 'up' || state === 'unknown' ? 'running' : 'noCarrier';
}

/** Returns the error while an interface does not exist or is not up, and its index: another one has taken its place when that changes. */
export function interfaceState(name: string): { error: BlockstoreError | undefined; index: string | undefined } {
  const flags = name === '' ? undefined : attribute(name, 'flags');
  if (flags === undefined) return { error: errors.interfaceDown(name, 'does not exist'), index: undefined };
  const error = (Number(flags) & isUp) === 0 ? errors.interfaceDown(name, 'is down') : undefined;
  return { error, index: attribute(name, 'ifindex') };
}

/** Returns an interface's Ethernet address; '' while it does not exist. */
export function ethernetAddressOf(name: string): string {
  return (attribute(name, 'address') ?? '').trim().toLowerCase();
}

/** Returns the Ethernet addresses of this machine. */
export function ownEthernetAddresses(): Set<string> {
  return new Set(readdirSync(interfaces).map(ethernetAddressOf));
}

/** Returns a file of an interface in /sys; undefined also when the interface disappears while the file is read. */
function attribute(name: string, file: string): string | undefined {
  try {
    return readIfExistsSync(join(interfaces, name, file));
  } catch (error) {
    if (['EINVAL', 'ENODEV'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
