import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type FindOptions, findByReference } from './reference.ts';
import type { SnapshotState } from './snapshot-state.ts';
import { snapshotsOf } from './snapshot.ts';

/** Returns the snapshot that a person means: see findByReference(). */
export function findSnapshot(store: Store, reference: string, options?: FindOptions): Promise<SnapshotState> {
  const { keys } = store;
  const kind = {
    what: 'snapshot',
    records: snapshotsOf(store),
    notFound: errors.snapshotNotFound,
    notNamed: errors.snapshotNotNamed,
    ambiguous: errors.snapshotAmbiguous,
    recordKey: keys.snapshot,
    ids: keys.snapshotIds(),
    names: keys.snapshotNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
