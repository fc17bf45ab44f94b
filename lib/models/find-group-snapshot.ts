import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import type { GroupSnapshotState } from './group-snapshot-state.ts';
import { groupSnapshotsOf } from './group-snapshot.ts';
import { type FindOptions, findByReference } from './reference.ts';

/** Returns the group snapshot that a person means: see findByReference(). */
export function findGroupSnapshot(store: Store, reference: string, options?: FindOptions): Promise<GroupSnapshotState> {
  const { keys } = store;
  const kind = {
    what: 'group snapshot',
    records: groupSnapshotsOf(store),
    notFound: errors.groupSnapshotNotFound,
    notNamed: errors.groupSnapshotNotNamed,
    ambiguous: errors.groupSnapshotAmbiguous,
    recordKey: keys.groupSnapshot,
    ids: keys.groupSnapshotIds(),
    names: keys.groupSnapshotNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
