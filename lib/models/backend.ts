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
  availabilityZone: string;
  /** As the driver reports them. */
  totalBytes: number;
  freeBytes: number;
  /** What all volumes together may have. */
  capacityBytes: number;
  /** Sum of the sizes of the volumes that are recorded on it. */
  allocatedBytes: number;
  /** Whether volumes may be placed on it. */
  accepting: boolean;
  /** Why not, or what else is wrong; '' = nothing. */
  problem: string;
}

export function backendId(node: string, name: string): string {
  return `${node}@${name}`;
}

/** Fields of a backend that its node reports. */
export type BackendReport = Omit<BackendState, 'id' | 'node' | 'allocatedBytes'>;

export function writeBackend(report: BackendReport): Record<string, string> {
  return Object.fromEntries(Object.entries(report).map(([name, value]) => [name, String(value)]));
}

/** Throws UnreadableError. */
export function parseBackend(id: string, hash: Hash): BackendState {
  const bytes = (field: string) => {
    const value = Number(hash[field] ?? 0);
    if (!Number.isFinite(value)) throw new UnreadableError(`has ${field} ${JSON.stringify(hash[field])}`);
    return value;
  };
  const at = id.indexOf('@');
  return {
    id,
    node: id.slice(0, Math.max(0, at)),
    name: id.slice(at + 1),
    driver: hash['driver'] ?? '',
    target: hash['target'] ?? '',
    availabilityZone: hash['availabilityZone'] ?? '',
    totalBytes: bytes('totalBytes'),
    freeBytes: bytes('freeBytes'),
    capacityBytes: bytes('capacityBytes'),
    allocatedBytes: bytes('allocatedBytes'),
    accepting: hash['accepting'] === 'true',
    problem: hash['problem'] ?? '',
  };
}

const reader: RecordReader<BackendState> = {
  recordKey: (store, id) => store.keys.backend(id),
  parse: parseBackend,
  notFound: (id) => errors.invalidArgument('backend', id, 'a backend of a node'),
  unreadable: (id, reason) => errors.recordUnreadable(`backend ${id}`, reason),
};

export function backendsOf(store: Store): Records<BackendState> {
  return new Records(store, reader);
}
