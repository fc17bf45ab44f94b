import { readdir } from 'node:fs/promises';
import { hostname, machine, networkInterfaces, platform } from 'node:os';
import { join } from 'node:path';
import { readAttribute, readIfExists } from '../files.ts';
import { readMachineId } from '../machine.ts';
import { ethernetAddressesOfHost } from './host-addresses.ts';
import { nqnOfHost } from './host-nqn.ts';
import { initiatorOfHost } from './initiator-name.ts';

/** What identifies this host as one that attaches volumes, in the names that programs of the family exchange. */
export interface ConnectorProperties {
  platform: string;
  os_type: string;
  host: string;
  ip: string | null;
  /** Of iSCSI. */
  initiator: string | null;
  /** Of NVMe. */
  nqn: string | null;
  ethernet_addresses: string[] | null;
  /** As in records of attachments: a hash. */
  machine_id: string | null;
  /** Whether multipathd runs, which can take over disks. */
  multipath: boolean;
}

export async function connectorProperties(): Promise<ConnectorProperties> {
  const [initiator, nqn, addresses, { machine: machineId }, ip, multipath] = await Promise.all([
    initiatorOfHost(),
    nqnOfHost(),
    ethernetAddressesOfHost(),
    readMachineId(),
    ipOfHost(),
    isRunning('multipathd'),
  ]);
  return {
    platform: machine(),
    os_type: platform(),
    host: hostname(),
    ip,
    initiator: 'name' in initiator ? initiator.name : null,
    nqn: 'name' in nqn ? nqn.name : null,
    ethernet_addresses: addresses.length > 0 ? addresses : null,
    machine_id: machineId === '' ? null : machineId,
    multipath,
  };
}

/** Of the interface of the default route, else of the first one that has an address for more than its own link; IPv4 first. */
async function ipOfHost(): Promise<string | null> {
  const preferred = defaultInterface((await readIfExists('/proc/net/route')) ?? '');
  const found = Object.entries(networkInterfaces()).flatMap(([name, list = []]) =>
    list
      .filter(({ internal, address }) => !internal && !/^(fe80|169\.254)/.test(address))
      .map(({ address, family }) => ({ name, address, family })),
  );
  const rank = ({ name, family }: { name: string; family: string }) =>
    (family === 'IPv4' ? 0 : 2) + (name === preferred ? 0 : 1);
  return found.toSorted((one, other) => rank(one) - rank(other))[0]?.address ?? null;
}

/** Returns the interface of the default route with the lowest metric, from the table in /proc/net/route. */
export function defaultInterface(table: string): string | undefined {
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/));
  const defaults = rows.filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000');
  return defaults.toSorted((one, other) => Number(one[6]) - Number(other[6]))[0]?.[0];
}

export async function isRunning(program: string): Promise<boolean> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(ids.map((id) => readAttribute(join('/proc', id, 'comm'))));
  return names.some((name) => name?.trim() === program);
}
