import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BlockstoreError, errors } from '../../errors.ts';
import { readIfExistsSync } from '../../files.ts';

const interfaces = '/sys/class/net';
const isUp = 1; // IFF_UP

/**
 * Returns whether the interface is running. Throws InterfaceDown when it does not exist or is not up. An interface without a
 * carrier (no cable, a bridge without ports) is no failure: exports start and wait for the other side.
 */
export function checkInterface(name: string): 'running' | 'noCarrier' {
  const { error } = interfaceState(name);
  if (error) throw error;
  const state = readIfExistsSync(join(interfaces, name, 'operstate'))?.trim();
  // Loopback and some virtual interfaces report "unknown".
  return state === 'up' || state === 'unknown' ? 'running' : 'noCarrier';
}

/** Returns the error while an interface does not exist or is not up, and its index: another one has taken its place when that changes. */
export function interfaceState(name: string): { error: BlockstoreError | undefined; index: string | undefined } {
  const directory = join(interfaces, name);
  const flags = name === '' ? undefined : readIfExistsSync(join(directory, 'flags'));
  if (flags === undefined) return { error: errors.interfaceDown(name, 'does not exist'), index: undefined };
  const error = (Number(flags) & isUp) === 0 ? errors.interfaceDown(name, 'is down') : undefined;
  return { error, index: readIfExistsSync(join(directory, 'ifindex')) };
}

/** Returns the Ethernet addresses of this machine. */
export function ownEthernetAddresses(): Set<string> {
  const addresses = readdirSync(interfaces).map((name) => readIfExistsSync(join(interfaces, name, 'address')) ?? '');
  return new Set(addresses.map((address) => address.trim().toLowerCase()));
}
