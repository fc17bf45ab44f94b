import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { isUuid } from './check-text.ts';
import { findSnapshot } from './find-snapshot.ts';
import { groupSnapshotsOf } from './group-snapshot.ts';
import type { SnapshotState } from './snapshot-state.ts';
import { snapshotsOf } from './snapshot.ts';

/**
 * Returns the snapshot that a person means where the volume is known. All snapshots of a group snapshot have its name, so a name, also the
 * name or the id of a group snapshot, is first looked up among the snapshots of the volume; then as by findSnapshot(). Throws what that throws.
 */
export async function findSnapshotOfVolume(store: Store, volume: string, reference: string): Promise<SnapshotState> {
  if (isUuid(reference)) {
    const found = await snapshotsOf(store).find(reference.toLowerCase());
    if (found) return found;
  }
  const [match, ...others] = await matchesOf(store, volume, reference);
  if (match === undefined) return findSnapshot(store, reference);
  if (others.length > 0)
    throw errors.snapshotAmbiguous(
      reference,
      [match, ...others].map(({ id }) => id),
    );
  return match;
}

/** Reads every snapshot of the volume. */
async function matchesOf(store: Store, volume: string, reference: string): Promise<SnapshotState[]> {
  const own: SnapshotState[] = [];
  for await (const snapshot of snapshotsOf(store).iterate(store.keys.volumeSnapshots(volume))) own.push(snapshot);
  const ofGroups = own.map(({ groupSnapshot }) => groupSnapshot).filter((id) => id !== '');
  const groups = (await groupSnapshotsOf(store).readAll(ofGroups)).states;
  const named = new Set(groups.filter(({ name }) => isSame(name, reference)).map(({ id }) => id));
  named.add(reference.toLowerCase());
  return own.filter(({ name, groupSnapshot }) => isSame(name, reference) || named.has(groupSnapshot));
}

/** Names of earlier versions can have another form of Unicode than the composed one. */
function isSame(name: string, reference: string): boolean {
  return name !== '' && name.normalize('NFC') === reference.normalize('NFC');
}
