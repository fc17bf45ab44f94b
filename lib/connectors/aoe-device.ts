import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { devicePath, kernelName } from '../aoe/address.ts';
import { parseEthernetAddress } from '../aoe/ethernet.ts';

/** What the kernel's AoE initiator says of a device, such as e7.1. */

export function isKnown(device: string): boolean {
  return existsSync(`/sys/block/${kernelName(device)}`);
}

/** Whether the state is "up", possibly followed by a comma and more, and the node in /dev exists. */
export async function isUp(device: string): Promise<boolean> {
  return ((await attribute(device, 'state')) ?? '').startsWith('up') && existsSync(devicePath(device));
}

export async function sizeOf(device: string): Promise<number> {
  return Number((await attribute(device, 'size')) ?? 0) * 512;
}

/** Returns the Ethernet address of the machine that answered first for the device; undefined while none has. */
export async function firstMachineOf(device: string): Promise<string | undefined> {
  const digits = (await attribute(device, 'mac')) ?? '';
  return /^[0-9a-f]{12}$/.test(digits) ? parseEthernetAddress(digits) : undefined;
}

/** Returns the interfaces of this host through which the device is reached. */
export async function interfacesOf(device: string): Promise<string[]> {
  return ((await attribute(device, 'netif')) ?? '').split(',').filter((name) => !['', 'none'].includes(name));
}

async function attribute(device: string, name: string): Promise<string | undefined> {
  if (!isKnown(device)) return undefined;
  return (await readFile(`/sys/block/${kernelName(device)}/${name}`, 'utf8')).trim();
}
