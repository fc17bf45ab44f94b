import { errors } from '../errors.ts';
import { metadataField, metadataFields, refuseTooMany } from '../models/metadata.ts';
import type { SnapshotState } from '../models/snapshot-state.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

/** What is noted of a snapshot; what is not given stays as it is. */
export interface SnapshotChanges {
  /** '': none. */
  name?: string;
  /** '': none. */
  description?: string;
  /** Keys and values to be set. */
  metadata?: Readonly<Record<string, string>>;
  unsetMetadata?: readonly string[];
}

/** Changes the fields that only the record has. Returns the record then. Throws SnapshotNotFound, InvalidArgument. */
export async function describeSnapshot(store: Store, id: string, changes: SnapshotChanges): Promise<SnapshotState> {
  const { description, metadata = {}, unsetMetadata = [] } = changes;
  const set = { ...(description ? { description } : {}), ...metadataFields(metadata) };
  const unset = [
    ...(description === '' ? ['description'] : []),
    ...unsetMetadata.filter((key) => !Object.hasOwn(metadata, key)).map(metadataField),
  ];
  for (let change = 0; change < maxChanges; change += 1) {
    const snapshot = await snapshotsOf(store).lookup(id);
    if (Object.keys(set).length + unset.length === 0) return snapshot;
    const kept = Object.keys(snapshot.metadata).filter((key) => !unsetMetadata.includes(key));
    refuseTooMany([...new Set([...kept, ...Object.keys(metadata)])]);
    const { status } = snapshot;
    const outcome = await commit(store, {
      edits: [{ kind: 'snapshot', id, expect: { status }, set, unset }],
      event: 'snapshot.update',
    });
    if (outcome.word === 'ok') return snapshotsOf(store).lookup(id);
  }
  throw errors.snapshotNotReady(id, 'being changed');
}
