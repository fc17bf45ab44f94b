import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isUp } from '../../aoe/interface-flags.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import { isAbsent, readIfExistsSync } from '../../files.ts';
import { masterErrorOf } from './interface-master.ts';

const interfaces = '/sys/class/net';
/** ARPHRD_ETHER, and ARPHRD_LOOPBACK, which has the same frames. */
const ethernetTypes = new Set(['1', '772']);
/** vblade needs 36 bytes beside the sectors, and serves no read with less than one. */
const minMtu = 548;

/** What the processes of exports took over from their interface when they started. */
export interface InterfaceIdentity {
  /** Another interface has taken its place when that changes. */
  index: string;
  address: string;
  mtu: string;
}

export interface InterfaceStatus {
  /** While the interface does not exist or is not up: no export can run. */
  error: BlockstoreError | undefined;
  /** While it has no carrier, or for another reason no host can use what runs on it. */
  linkError: BlockstoreError | undefined;
  identity: InterfaceIdentity | undefined;
}

/**
 * Throws InterfaceDown when the interface does not exist or is not up. Returns the error of one that no host can
 * use (no cable, a bridge without ports): that is no failure, exports start and wait for the other side.
 */
export function checkInterface(name: string): BlockstoreError | undefined {
  const { error, linkError } = interfaceStatus(name);
  if (error) throw error;
  return linkError;
}

export function interfaceStatus(name: string): InterfaceStatus {
  const read = (file: string) => attribute(name, file)?.trim();
  const flags = name === '' ? undefined : read('flags');
  if (flags === undefined) {
    return { error: errors.interfaceDown(name, 'does not exist'), linkError: undefined, identity: undefined };
  }
  const identity = { index: read('ifindex') ?? '', address: ethernetAddressOf(name), mtu: read('mtu') ?? '' };
  if (!ethernetTypes.has(read('type') ?? '')) {
    return { error: errors.interfaceDown(name, 'is no Ethernet interface'), linkError: undefined, identity };
  }
  if (!isUp(flags)) {
    return { error: errors.interfaceDown(name, 'is down'), linkError: undefined, identity };
  }
  return { error: undefined, linkError: linkErrorOf(name), identity };
}

/** Returns what keeps hosts from using exports on an interface that is up. */
function linkErrorOf(name: string): BlockstoreError | undefined {
  const read = (file: string) => attribute(name, file)?.trim();
  const masterError = masterErrorOf(name);
  if (masterError) return masterError;
  if (Number(read('mtu') ?? minMtu) < minMtu) {
    return errors.interfaceDown(name, 'has an MTU below 548, too small for one sector');
  }
  // Loopback and some virtual interfaces report "unknown".
  return ['up', 'unknown'].includes(read('operstate') ?? 'unknown') ? undefined : carrierErrorOf(name);
}

export function isSameInterface(one: InterfaceIdentity | undefined, other: InterfaceIdentity | undefined): boolean {
  return one?.index === other?.index && one?.address === other?.address && one?.mtu === other?.mtu;
}

/** Returns an interface's Ethernet address; '' while it does not exist. */
export function ethernetAddressOf(name: string): string {
  return (attribute(name, 'address') ?? '').trim().toLowerCase();
}

/** Returns the Ethernet addresses of this machine. */
export function ownEthernetAddresses(): Set<string> {
  return new Set(readdirSync(interfaces).map(ethernetAddressOf));
}

/** A bridge has a carrier once a port forwards: with STP, twice its forward delay after that port came up. */
function carrierErrorOf(name: string): BlockstoreError {
  const hasStp = (attribute(name, 'bridge/stp_state')?.trim() ?? '0') !== '0';
  const isWaiting = hasStp && portsOf(name).some((port) => ['1', '2'].includes(port));
  const yet = 'has no carrier yet: its bridge waits for the spanning tree (STP)';
  return errors.interfaceDown(name, isWaiting ? yet : 'has no carrier');
}

/** Returns the states of a bridge's ports: 1 listens, 2 learns, 3 forwards. */
function portsOf(bridge: string): string[] {
  try {
    return readdirSync(join(interfaces, bridge, 'brif')).map((port) => attribute(port, 'brport/state')?.trim() ?? '');
  } catch (error) {
    if (isAbsent(error)) return []; // the bridge disappears meanwhile
    throw error;
  }
}

/** Returns a file of an interface in /sys; undefined also when the interface disappears while the file is read. */
function attribute(name: string, file: string): string | undefined {
  return readIfExistsSync(join(interfaces, name, file));
}
