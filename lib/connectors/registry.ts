import { tryParseAddress } from '../aoe/address.ts';
import { isIscsiName, tryParseIscsiAddress } from '../iscsi/address.ts';
import { isNqn, tryParseNvmeAddress } from '../nvme/address.ts';
import type { Processes } from '../process.ts';
import { tryParseRbdAddress } from '../rbd/address.ts';
import { tryParseSheepdogAddress } from '../sheepdog/address.ts';
import { protocolOf } from '../targets/registry.ts';
import type { Protocol } from '../targets/target.ts';
import { AoeConnector } from './aoe.ts';
import type { Connector } from './connector.ts';
import { GuestsOnlyConnector } from './guests-only.ts';
import { IscsiConnector } from './iscsi.ts';
import { NvmeConnector } from './nvme.ts';
import { sheepdogDisks } from './network-disks.ts';
import { RbdConnector } from './rbd.ts';

interface Context {
  processes: Processes;
  /** Called with what a person should know, although it is no error. */
  note?: (text: string) => void;
}

interface Kind {
  /** That of the exports which it connects. */
  protocol: Protocol;
  owns: (address: string) => boolean;
  /** Whether its hosts are admitted by names of that form; some are admitted by a user of the storage alone. */
  admits: (host: string) => boolean;
  make: (context: Context) => Connector;
}

const kinds: readonly Kind[] = [
  {
    protocol: 'aoe',
    owns: (address) => tryParseAddress(address) !== undefined,
    admits: (host) => !isIscsiName(host) && !isNqn(host),
    make: (context) => new AoeConnector(context),
  },
  {
    protocol: 'iscsi',
    owns: (address) => tryParseIscsiAddress(address) !== undefined,
    admits: isIscsiName,
    make: (context) => new IscsiConnector(context),
  },
  {
    protocol: 'nvme',
    owns: (address) => tryParseNvmeAddress(address) !== undefined,
    admits: isNqn,
    make: (context) => new NvmeConnector(context),
  },
  {
    protocol: 'rbd',
    owns: (address) => tryParseRbdAddress(address) !== undefined,
    admits: () => false,
    make: (context) => new RbdConnector(context),
  },
  {
    protocol: 'sheepdog',
    owns: (address) => tryParseSheepdogAddress(address) !== undefined,
    admits: () => false,
    make: () => new GuestsOnlyConnector('sheepdog', sheepdogDisks),
  },
];

/** Returns what connects a volume with that address; undefined where nothing of this host does. */
export function connectorOf(address: string, context: Context): Connector | undefined {
  return kinds.find(({ owns }) => owns(address))?.make(context);
}

/** The same for a volume that has no address yet, by the target of its backend. */
export function connectorOfTarget(target: string, context: Context): Connector | undefined {
  const expected = protocolOf(target);
  return kinds.find(({ protocol }) => protocol === expected)?.make(context);
}

/** The same by what hosts were admitted by, whatever address their volume has by now. */
export function connectorOfHosts(hosts: readonly string[], context: Context): Connector | undefined {
  return kinds.find(({ admits }) => hosts.some(admits))?.make(context);
}
