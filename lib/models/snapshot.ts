import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type RecordReader, Records } from './records.ts';
import { type SnapshotState, parseSnapshot } from './snapshot-state.ts';

const reader: RecordReader<SnapshotState> = {
  recordKey: (store, id) => store.keys.snapshot(id),
  parse: parseSnapshot,
  notFound: errors.snapshotNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`snapshot ${id}`, reason),
};

/** The records of snapshots. */
export function snapshotsOf(store: Store): Records<SnapshotState> {
  return new Records(store, reader);
}
