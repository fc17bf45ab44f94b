import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
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

async function addressOf(directory: string): Promise<string | undefined> {
  const read = async (file: string) => (await readAttribute(join(directory, file)))?.trim();
  if (Number(await read('type')) !== etherType || (Number(await read('flags')) & isUp) === 0) return undefined;
  const entries = new Set(await absentAs([], readdir(directory)));
  if (['wireless', 'phy80211', 'master', 'brport'].some((entry) => entries.has(entry))) return undefined;
  const address = await read('address');
  return address === undefined || /^(00:){5}00$/.test(address) ? undefined : address;
}
