import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type GroupSnapshotState, parseGroupSnapshot } from './group-snapshot-state.ts';
import { type RecordReader, Records } from './records.ts';
import type { SnapshotState } from './snapshot-state.ts';
import { snapshotsOf } from './snapshot.ts';

const reader: RecordReader<GroupSnapshotState> = {
  recordKey: (store, id) => store.keys.groupSnapshot(id),
  parse: parseGroupSnapshot,
  notFound: errors.groupSnapshotNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`group snapshot ${id}`, reason),
};

/** The records of group snapshots. */
export function groupSnapshotsOf(store: Store): Records<GroupSnapshotState> {
  return new Records(store, reader);
}

/** Returns the snapshots that a group snapshot has. Throws RecordUnreadable. */
export async function membersOf(store: Store, id: string): Promise<SnapshotState[]> {
  const ids = await store.read((redis) => redis.zrange(store.keys.groupSnapshotMembers(id), '0', '-1'));
  return snapshotsOf(store).findAll(ids);
}
