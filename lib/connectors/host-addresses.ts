import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { maxHosts } from '../aoe/ethernet.ts';
import { errors } from '../errors.ts';
import { absentAs, readAttribute } from '../files.ts';

const systemDirectory = '/sys/class/net';
const etherType = 1; // ARPHRD_ETHER
const isUp = 1; // IFF_UP

/**
 * Returns the addresses of this host's Ethernet interfaces that are up, sorted: those that the kernel's AoE initiator sends from.
 * Not those of wireless interfaces, of point-to-point tunnels, and of parts of a bridge or bond, whose frames come in at the whole.
 */
export async function ethernetAddressesOfHost(directory = systemDirectory): Promise<string[]> {
  const names = await readdir(directory);
  const found = await Promise.all(names.map((name) => addressOf(join(directory, name))));
  return [...new Set(found.filter((address) => address !== undefined))].toSorted();
}

/** Returns the addresses of all Ethernet interfaces of this host, by which it is known: also of those that are down. */
export async function allEthernetAddresses(directory = systemDirectory): Promise<string[]> {
  const names = await readdir(directory);
  const found = await Promise.all(names.map((name) => readAttribute(join(directory, name, 'address'))));
  return found
    .map((address) => address?.trim() ?? '')
    .filter((address) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address));
}

/**
 * Returns the addresses with which an export admits this host to a volume. Throws ConnectorFailed for none, which would admit every
 * host, and for more than an export admits.
 */
export async function addressesToAdmit(volume: string, directory = systemDirectory): Promise<string[]> {
  const addresses = await ethernetAddressesOfHost(directory);
  const { length } = addresses;
  if (length === 0) {
    const hint = 'bring up its interface in the storage network: ip -br link';
    throw errors.connectorFailed(volume, 'it has no Ethernet interface that is up', hint);
  }
  if (length > maxHosts) {
    const reason = `it has ${length} Ethernet interfaces, and an export admits at most ${maxHosts}`;
    throw errors.connectorFailed(volume, reason, 'give the addresses of those in the storage network: --mac');
  }
  return addresses;
}

async function addressOf(directory: string): Promise<string | undefined> {
  const read = async (file: string) => (await readAttribute(join(directory, file)))?.trim();
  if (Number(await read('type')) !== etherType || (Number(await read('flags')) & isUp) === 0) return undefined;
  const entries = new Set(await absentAs([], readdir(directory)));
  if (['wireless', 'phy80211', 'master', 'brport'].some((entry) => entries.has(entry))) return undefined;
  const address = await read('address');
  return address === undefined || /^(00:){5}00$/.test(address) ? undefined : address;
}
