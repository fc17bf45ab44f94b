import { tryParseAddress } from '../aoe/address.ts';
import { isIscsiName, tryParseIscsiAddress } from '../iscsi/address.ts';
import type { Processes } from '../process.ts';
import { AoeConnector } from './aoe.ts';
import type { Connector } from './connector.ts';
import { IscsiConnector } from './iscsi.ts';

interface Context {
  processes: Processes;
  /** Called with what a person should know, although it is no error. */
  note?: (text: string) => void;
}

interface Kind {
  /** Targets whose exports it connects. */
  targets: readonly string[];
  owns: (address: string) => boolean;
  /** Whether its hosts are admitted by names of that form. */
  admits: (host: string) => boolean;
  make: (context: Context) => Connector;
}

/** Targets whose hosts are initiators. */
export const iscsiTargets: readonly string[] = ['iscsi-tgt', 'solaris', 'lefthand'];

const kinds: readonly Kind[] = [
  {
    targets: ['aoe'],
    owns: (address) => tryParseAddress(address) !== undefined,
    admits: (host) => !isIscsiName(host),
    make: (context) => new AoeConnector(context),
  },
  {
    targets: iscsiTargets,
    owns: (address) => tryParseIscsiAddress(address) !== undefined,
    admits: isIscsiName,
    make: (context) => new IscsiConnector(context),
  },
];

/** Returns what connects a volume with that address; undefined where nothing of this host does. */
export function connectorOf(address: string, context: Context): Connector | undefined {
  return kinds.find(({ owns }) => owns(address))?.make(context);
}

/** The same for a volume that has no address yet, by the target of its backend. */
export function connectorOfTarget(target: string, context: Context): Connector | undefined {
  return kinds.find(({ targets }) => targets.includes(target))?.make(context);
}

/** The same by what hosts were admitted by, whatever address their volume has by now. */
export function connectorOfHosts(hosts: readonly string[], context: Context): Connector | undefined {
  return kinds.find(({ admits }) => hosts.some(admits))?.make(context);
}
