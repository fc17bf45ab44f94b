import { type CapabilityName, capabilityNames } from '../drivers/capabilities.ts';
import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { type RecordReader, Records } from './records.ts';

/** A backend's record: what its node last reported, and what is allocated on it. Sizes in bytes. */
export interface BackendState {
  /** `node@name`. */
  id: string;
  node: string;
  name: string;
  driver: string;
  target: string;
  /** What its volumes are made from: a volume group, a directory. */
  pool: string;
  /** What its driver can do beyond creating and deleting volumes. */
  capabilities: readonly CapabilityName[];
  /** Identity of the storage where other nodes reach it as well, and can serve its volumes; '' = only this node can. */
  shared: string;
  /** Where hosts reach its exports: for AoE an Ethernet address; '' = unknown. */
  endpoint: string;
  availabilityZone: string;
  /** As the driver reports them. */
  totalBytes: number;
  freeBytes: number;
  /** What all volumes together may have. */
  capacityBytes: number;
  /** Sum of the sizes of the volumes that are recorded on it. */
  allocatedBytes: number;
  /** How full a pool of thin volumes is; null = it is none, or gives no figures. */
  dataPercent: number | null;
  metadataPercent: number | null;
  /** Whether volumes may be placed on it. */
  accepting: boolean;
  /** Its node is being drained: it takes no further volumes. */
  isClosed: boolean;
  /** Why, as the one who closed it has put it; '' = not said. */
  closedReason: string;
  /** Why not, or what else is wrong; '' = nothing. */
  problem: string;
}

export function backendId(node: string, name: string): string {
  return `${node}@${name}`;
}

/** A place as a person names it: `node`, `node@backend` or `node@backend#pool`. */
export interface Place {
  node: string;
  backend?: string;
  pool?: string;
}

/** Throws InvalidArgument. */
export function parsePlace(text: string): Place {
  const [, node = '', backend, pool] = /^([^@#]+)(?:@([^@#]+)(?:#(.+))?)?$/.exec(text) ?? [];
  if (node === '') throw errors.invalidArgument('node', text, 'of the form node, node@backend or node@backend#pool');
  return { node, ...(backend === undefined ? {} : { backend }), ...(pool === undefined ? {} : { pool }) };
}

/** Returns a backend with its pool, `node@backend#pool`; without the pool where its node has not reported it. */
export function placeText(id: string, pool: string): string {
  return pool === '' ? id : `${id}#${pool}`;
}

/** Fields of a backend that its node reports. `shared`: undefined while storage that does not answer cannot say it. */
export interface BackendReport
  extends Omit<BackendState, 'id' | 'node' | 'allocatedBytes' | 'shared' | 'isClosed' | 'closedReason'> {
  shared: string | undefined;
}

export function writeBackend(report: BackendReport): Record<string, string> {
  const known = Object.entries(report).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value ?? '')]));
}

/** Throws UnreadableError. */
export function parseBackend(id: string, hash: Hash): BackendState {
  const number = (field: string) => {
    const value = Number(hash[field] ?? 0);
    if (!Number.isFinite(value)) throw new UnreadableError(`has ${field} ${JSON.stringify(hash[field])}`);
    return value;
  };
  const percent = (field: string) => ((hash[field] ?? '') === '' ? null : number(field));
  const at = id.indexOf('@');
  return {
    id,
    node: id.slice(0, Math.max(0, at)),
    name: id.slice(at + 1),
    driver: hash['driver'] ?? '',
    target: hash['target'] ?? '',
    pool: hash['pool'] ?? '',
    capabilities: capabilitiesIn(hash['capabilities'] ?? ''),
    shared: hash['shared'] ?? '',
    endpoint: hash['endpoint'] ?? '',
    availabilityZone: hash['availabilityZone'] ?? '',
    totalBytes: number('totalBytes'),
    freeBytes: number('freeBytes'),
    capacityBytes: number('capacityBytes'),
    allocatedBytes: number('allocatedBytes'),
    dataPercent: percent('dataPercent'),
    metadataPercent: percent('metadataPercent'),
    accepting: hash['accepting'] === 'true',
    isClosed: hash['closed'] === 'true',
    closedReason: hash['closedReason'] ?? '',
    problem: hash['problem'] ?? '',
  };
}

/** Those of a later version are no concern of this one. */
function capabilitiesIn(text: string): CapabilityName[] {
  const names = new Set(text.split(','));
  return capabilityNames.filter((name) => names.has(name));
}

const reader: RecordReader<BackendState> = {
  recordKey: (store, id) => store.keys.backend(id),
  parse: parseBackend,
  notFound: (id) => errors.invalidArgument('backend', id, 'a backend of a node'),
  unreadable: (id, reason) => errors.recordUnreadable(`backend ${id}`, reason),
};

/** Returns where the exports of a backend are reached; '' = unknown. */
export async function endpointOf(store: Store, id: string): Promise<string> {
  const { states } = await backendsOf(store).readAll([id]);
  return states[0]?.endpoint ?? '';
}

export function backendsOf(store: Store): Records<BackendState> {
  return new Records(store, reader);
}
