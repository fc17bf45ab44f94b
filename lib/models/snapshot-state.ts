import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { metadataIn } from './metadata.ts';

export const snapshotStatuses = ['creating', 'available', 'deleting', 'error', 'error_deleting'] as const;
export type SnapshotStatus = (typeof snapshotStatuses)[number];

/** A snapshot's record. It is where its volume is: what is under way for it is a task of the volume. */
export interface SnapshotState {
  id: string;
  name: string;
  description: string;
  /** What its users note of it. */
  metadata: Readonly<Record<string, string>>;
  /** The id of its volume. */
  volume: string;
  /** The id of the group snapshot that it is one of; '' = none. */
  groupSnapshot: string;
  /** What the volume had then, in GiB (0: 100 MiB). */
  size: number;
  userId: string;
  projectId: string;
  status: SnapshotStatus;
  /** Milliseconds since the epoch. */
  createTime: number;
  fault: Fault | undefined;
}

export function isSnapshotStatus(value: string): value is SnapshotStatus {
  return snapshotStatuses.some((status) => status === value);
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseSnapshot(id: string, hash: Hash): SnapshotState {
  const { status = '', volume = '', size = '', createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!isSnapshotStatus(status)) throw new UnreadableError(`has status ${JSON.stringify(status)}`);
  if (!isId(volume)) throw new UnreadableError(`is of volume ${JSON.stringify(volume)}`);
  if (!/^\d{1,4}$/.test(size) || !/^\d{1,16}$/.test(createTime)) {
    throw new UnreadableError('lacks its size or creation time');
  }
  return {
    id,
    name: hash['name'] ?? '',
    description: hash['description'] ?? '',
    metadata: metadataIn(hash),
    volume,
    groupSnapshot: hash['groupSnapshot'] ?? '',
    size: Number(size),
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    status,
    createTime: Number(createTime),
    fault: hash['fault'] === undefined ? undefined : parseFault(hash['fault']),
  };
}
