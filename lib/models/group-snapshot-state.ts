import { createHash } from 'node:crypto';
import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { type SnapshotStatus, isSnapshotStatus } from './snapshot-state.ts';

/** Snapshots of all volumes of a group of one moment. They name it, and have its status while it is made or deleted. */
export interface GroupSnapshotState {
  id: string;
  name: string;
  description: string;
  /** The id of the group, which may be gone. */
  group: string;
  /** The id of the type that the group had; '' = none. */
  type: string;
  userId: string;
  projectId: string;
  status: SnapshotStatus;
  /** Milliseconds since the epoch. */
  createTime: number;
  fault: Fault | undefined;
}

/** Returns the id of its snapshot of a volume: the same whenever it is asked. */
export function memberId(groupSnapshot: string, volume: string): string {
  const digits = createHash('sha256').update(`${groupSnapshot} ${volume}`).digest('hex');
  // As RFC 9562 has them of one's own making.
  const [version, variant] = ['8', '8'];
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    version + digits.slice(13, 16),
    variant + digits.slice(17, 20),
  ];
  return [...parts, digits.slice(20, 32)].join('-');
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseGroupSnapshot(id: string, hash: Hash): GroupSnapshotState {
  const { status = '', group = '', createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!isSnapshotStatus(status)) throw new UnreadableError(`has status ${JSON.stringify(status)}`);
  if (!isId(group)) throw new UnreadableError(`is of group ${JSON.stringify(group)}`);
  if (!/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its creation time');
  return {
    id,
    name: hash['name'] ?? '',
    description: hash['description'] ?? '',
    group,
    type: hash['type'] ?? '',
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    status,
    createTime: Number(createTime),
    fault: hash['fault'] === undefined ? undefined : parseFault(hash['fault']),
  };
}
