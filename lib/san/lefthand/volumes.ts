import { errors } from '../../errors.ts';
import type { Chap } from '../../targets/target.ts';
import type { Cliq } from './cliq.ts';
import { readCluster } from './cluster.ts';
import { type Description, readDescription } from './descriptions.ts';
import type { Element } from '../../xml.ts';

export interface LefthandVolume {
  name: string;
  sizeBytes: number;
  targetName: string;
  /** Undefined for one that is not labelled as the volume of its name, by this node. */
  described: Description | undefined;
  permissions: readonly Permission[];
}

/** Who may use a volume: the initiator of a server, or whoever knows a secret. */
export interface Permission {
  /** The name of the server, or the one that the storage has given a user and secret. */
  group: string;
  access: string;
  /** The secret is '' where the storage does not show it. */
  chap?: Chap;
}

export interface LefthandSnapshot {
  name: string;
  /** The name of its volume. */
  of: string;
  sizeBytes: number;
  described: Description | undefined;
}

export interface LefthandStorage {
  volumes: readonly LefthandVolume[];
  snapshots: readonly LefthandSnapshot[];
}

/** Reads all volumes with their snapshots by one command. Throws AnswerUnreadable, StorageUnusable for a cluster that does not exist. */
export async function readStorage(
  cliq: Cliq,
  { cluster, node }: { cluster: string; node: string },
): Promise<LefthandStorage> {
  const found = (await cliq.run('getVolumeInfo')).filter(({ name }) => name === 'volume');
  const own = found.filter((element) => value(element, 'clusterName') === cluster);
  // The list is that of the management group: volumes of a cluster that was renamed would be taken for deleted.
  if (own.length === 0) await readCluster(cliq, cluster);
  return {
    volumes: own.map((element) => volumeIn(element, node)),
    snapshots: own.flatMap((element) =>
      element.children.filter(({ name }) => name === 'snapshot').map((child) => snapshotIn(element, child, node)),
    ),
  };
}

function volumeIn(element: Element, node: string): LefthandVolume {
  const name = value(element, 'name');
  const permissions = element.children.filter((child) => child.name === 'permission');
  return {
    name,
    sizeBytes: size(element),
    targetName: value(element, 'iscsiIqn'),
    described: describedAs(element, node, 'volume'),
    permissions: permissions.map(permissionIn),
  };
}

function permissionIn({ attributes }: Element): Permission {
  const { authGroup: group = '', access = 'rw', chapName: user = '', targetSecret: secret = '' } = attributes;
  return { group, access, ...(user === '' ? {} : { chap: { user, secret } }) };
}

function snapshotIn(volume: Element, element: Element, node: string): LefthandSnapshot {
  const sizeBytes = element.attributes['size'] === undefined ? size(volume) : size(element);
  const described = describedAs(element, node, 'snap') ?? describedAs(element, node, 'clone');
  return { name: value(element, 'name'), of: value(volume, 'name'), sizeBytes, described };
}

function describedAs(element: Element, node: string, kind: string): Description | undefined {
  const described = readDescription(element.attributes['description'] ?? '');
  if (!described || described.node !== node) return undefined;
  return value(element, 'name') === `${kind}-${described.id}` ? described : undefined;
}

function size(element: Element): number {
  const bytes = Number(value(element, 'size'));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw errors.answerUnreadable('getVolumeInfo', JSON.stringify(element.attributes));
}

function value({ name, attributes }: Element, attribute: string): string {
  const found = attributes[attribute];
  if (found === undefined) throw errors.answerUnreadable('getVolumeInfo', `a ${name} without ${attribute}`);
  return found;
}
