import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errors } from '../../errors.ts';
import { readIfExistsSync } from '../../files.ts';

const interfaces = '/sys/class/net';
const isUp = 1; // IFF_UP

/**
 * Whether frames can leave. Throws InterfaceDown when the interface does not exist or is not up. An interface that is up
 * without a carrier (a cable pulled, a bridge without ports) is no failure: exports start and wait for the other side.
 */
export function checkInterface(name: string): 'running' | 'noCarrier' {
  const directory = join(interfaces, name);
  const flags = readIfExistsSync(join(directory, 'flags'));
  if (name === '' || flags === undefined) throw errors.interfaceDown(name, 'does not exist');
  if ((Number(flags) & isUp) === 0) throw errors.interfaceDown(name, 'is down');
  const state = readIfExistsSync(join(directory, 'operstate'))?.trim();
  // Loopback and some virtual ones say "unknown".
  return state === 'up' || state === 'unknown' ? 'running' : 'noCarrier';
}

/** Returns the Ethernet addresses of this machine. */
export function ownEthernetAddresses(): Set<string> {
  const addresses = readdirSync(interfaces).map((name) => readIfExistsSync(join(interfaces, name, 'address')) ?? '');
  return new Set(addresses.map((address) => address.trim().toLowerCase()));
}
