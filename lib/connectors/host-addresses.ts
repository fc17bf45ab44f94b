import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { maxHosts } from '../aoe/ethernet.ts';
import { isUp, isVrf } from '../aoe/interface-flags.ts';
import { errors } from '../errors.ts';
import { errorCode, isAbsent, readAttribute } from '../files.ts';

const systemDirectory = '/sys/class/net';
const etherType = 1; // ARPHRD_ETHER
/** What the directory of an interface has while that is part of a bridge, or of a bond. */
const parts = ['brport', 'bonding_slave'];

/**
 * Returns the addresses of this host's Ethernet interfaces that are up, sorted: those that the kernel's AoE initiator sends from.
 * Not those of wireless interfaces, of point-to-point tunnels, of bridges without ports, and of parts of a bridge or bond, whose frames
 * have the address of the whole, except in a bond that takes over theirs.
 */
export async function ethernetAddressesOfHost(directory = systemDirectory): Promise<string[]> {
  const names = await readdir(directory);
  const found = await Promise.all(names.map((name) => sourcesOf(join(directory, name))));
  return [...new Set(found.flat())].toSorted();
}

/**
 * Whether this host has the addresses with which a host of its machine id was admitted. Clones can share those of virtual interfaces
 * (libvirt's virbr0, bridges whose address is derived from the machine id): where this host has hardware, one of a hardware interface
 * must be among them, or all must be its own, as of a bridge that was given by --mac.
 */
export async function hasAdmittedAddresses(admitted: readonly string[], directory = systemDirectory): Promise<boolean> {
  const names = await readdir(directory);
  const own = (await Promise.all(names.map((name) => identityOf(join(directory, name))))).flat();
  const hardware = own.filter(({ isHardware }) => isHardware).map(({ address }) => address);
  if (hardware.some((address) => admitted.includes(address))) return true;
  const all = new Set(own.map(({ address }) => address));
  return hardware.length === 0 ? admitted.some((one) => all.has(one)) : admitted.every((one) => all.has(one));
}

/**
 * Returns the addresses with which an export admits this host to a volume, and by which the host is known: also those of the hardware
 * in its bridges and bonds, unless they are too many. Throws ConnectorFailed for none, which would admit every host, and for more than
 * an export admits.
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
  const names = await readdir(directory);
  const hardware = (await Promise.all(names.map((name) => hardwareOfPart(join(directory, name))))).flat();
  const all = [...new Set([...addresses, ...hardware])].toSorted();
  return all.length > maxHosts ? addresses : all;
}

/** Returns the addresses of an interface, also of one that is down. Only hardware, also that of a virtual machine, has a device. */
async function identityOf(directory: string): Promise<{ address: string; isHardware: boolean }[]> {
  const files = ['address', 'bonding_slave/perm_hwaddr'];
  const texts = await Promise.all(files.map((file) => readAttribute(join(directory, file))));
  const [address = '', permanent = ''] = texts.map((text) => text?.trim() ?? '');
  const isHardware = (await entriesOf(directory)).has('device');
  // While it is part of a bond it has the address of the bond, which can be a virtual one.
  const own = [
    { address, isHardware: isHardware && permanent === '' },
    { address: permanent, isHardware },
  ];
  return own.filter((one) => isEthernetAddress(one.address));
}

/** Returns the address of a hardware interface that is part of a bridge or bond; nothing for any other interface. */
async function hardwareOfPart(directory: string): Promise<string[]> {
  const entries = await entriesOf(directory);
  if (!parts.some((entry) => entries.has(entry))) return [];
  return (await identityOf(directory)).filter(({ isHardware }) => isHardware).map(({ address }) => address);
}

/** Returns the addresses that frames from an interface have, or from the bond that it is part of. */
async function sourcesOf(directory: string): Promise<string[]> {
  const read = async (file: string) => (await readAttribute(join(directory, file)))?.trim() ?? '';
  const flags = await read('flags');
  if (Number(await read('type')) !== etherType || !isUp(flags) || isVrf(flags)) return [];
  const entries = await entriesOf(directory);
  if (['wireless', 'phy80211', 'brport'].some((entry) => entries.has(entry))) return [];
  // A bridge without ports, such as that of a libvirt without guests, sends to nobody.
  if (entries.has('brif') && (await entriesOf(join(directory, 'brif'))).size === 0) return [];
  const present = await read('address');
  if (!entries.has('bonding_slave')) return (await leavesFramesToMaster()) ? [] : [present].filter(isEthernetAddress);
  // With this policy a bond takes the address of another part when it fails over, which has its permanent one by then.
  const takesOver = (await read('master/bonding/fail_over_mac')).startsWith('active');
  return takesOver ? [present, await read('bonding_slave/perm_hwaddr')].filter(isEthernetAddress) : [];

  /** Ports of Open vSwitch are as many as guests; hardware in a team can have an address of its own. */
  async function leavesFramesToMaster(): Promise<boolean> {
    return entries.has('master') && !entries.has('device') && !isVrf(await read('master/flags'));
  }
}

/** bonding_masters is a file among the interfaces. */
async function entriesOf(directory: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(directory));
  } catch (error) {
    if (isAbsent(error) || errorCode(error) === 'ENOTDIR') return new Set();
    throw error;
  }
}

function isEthernetAddress(address: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && !/^(00:){5}00$/.test(address);
}
