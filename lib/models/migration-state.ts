import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';

/** The record of a migration: the move of a volume to a backend of `node`. */
export interface MigrationState {
  id: string;
  /** The id of its volume. */
  volume: string;
  /** The destination. */
  node: string;
  backend: string;
  availabilityZone: string;
  /** In GiB, as the volume has it. */
  size: number;
  /** Of this migration alone: with it the two nodes prove to each other who they are. Never shown or logged. */
  key: string;
  /** Where the destination receives the data, `host:port`; '' = it is not ready yet. */
  endpoint: string;
  /** The data are there already: Redis has lost that they arrived. */
  hasArrived: boolean;
  /** Why the destination cannot have the volume. */
  fault: Fault | undefined;
  /** It has ended without success: the destination removes what it has of the volume, and then this record. */
  isCancelled: boolean;
  /** Somebody wants it to end without success. */
  isCancelRequested: boolean;
  /** All data are at the destination, and the volume is about to leave: it cannot be cancelled any more. */
  isLeaving: boolean;
  /** While it is leaving: the destination has all data, and the node of the volume lets nobody write before it has unset that. */
  isComplete: boolean;
  /** The type that the volume has afterwards; '' = the one that it has. */
  type: string;
  /** Whether several hosts can have it at once then; undefined: as before. */
  isMultiattach: boolean | undefined;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** 256 bits as hexadecimal digits. */
export const migrationKeyBytes = 32;

const schema = z.object({
  volume: z.string().refine(isId),
  node: z.string().min(1),
  backend: z.string().min(1),
  availabilityZone: z.string().min(1),
  size: z.string().regex(/^\d{1,4}$/),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  createTime: z.string().regex(/^\d{1,16}$/),
});

/** Throws UnreadableError for a record that this version cannot read. */
export function parseMigration(id: string, hash: Hash): MigrationState {
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  const { data, error } = schema.safeParse(hash);
  if (!data) throw new UnreadableError(`has no usable ${error.issues.map(({ path }) => path.join('.')).join(', ')}`);
  return {
    ...data,
    id,
    size: Number(data.size),
    createTime: Number(data.createTime),
    endpoint: hash['endpoint'] ?? '',
    hasArrived: hash['arrived'] === 'true',
    fault: hash['fault'] === undefined ? undefined : parseFault(hash['fault']),
    isCancelled: hash['isCancelled'] === 'true',
    isCancelRequested: hash['cancel'] === 'true',
    isLeaving: hash['leaving'] === 'true',
    isComplete: hash['leaving'] === 'true' && hash['complete'] === 'true',
    type: hash['type'] ?? '',
    isMultiattach: hash['multiattach'] === undefined ? undefined : hash['multiattach'] === 'true',
  };
}
