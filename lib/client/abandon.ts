import { pooledAddress } from '../aoe/address.ts';
import { endedWith, removedAttachment, removedSnapshot, stateOf } from '../models/volume-edit.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { attachmentFields } from '../models/volume-fields.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { type ChangeSet, type Condition, type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/**
 * The record of a volume that is deleted moves aside: its node removes the storage when it returns. The address is in quarantine from
 * now on, for the node may be removed, with its shelves, before it returns. One that another node lends stays lent, for the export may go on.
 */
export async function abandonment(store: Store, volume: VolumeState): Promise<ChangeSet> {
  const { id, lender } = volume;
  const rest = lender === '' ? pooledAddress(volume.address) : '';
  return {
    edits: [
      { kind: 'volume', id, remove: true, rest, expect: stateOf(volume) },
      await abandonedEdit(store, id),
      ...volume.attachments.map(removedAttachment),
      ...endedWith(volume, 'startDelete'),
    ],
  };
}

/** Snapshots that a change set edits, with those that may be half made besides: it holds Redis up for some milliseconds. */
export const maxSnapshots = 200;

/**
 * The same with the snapshots of the volume, which its node deletes before it. Records of more than a change set removes go first: those of
 * a call that breaks off are made again from the storage, as long as the volume has its record. Of those that may be half made the ids are
 * noted: no list of the storage names them. None of them may be being copied.
 */
export async function abandonmentWithSnapshots(store: Store, volume: VolumeState): Promise<ChangeSet> {
  const { id, node } = volume;
  const all = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(id), '0', '-1'));
  for (let first = 0; first + maxSnapshots < all.length; first += maxSnapshots) {
    const { states } = await snapshotsOf(store).readAll(all.slice(first, first + maxSnapshots));
    const page = states.filter(({ status }) => status === 'available').map((snapshot) => snapshot.id);
    const conditions: Condition[] = [{ is: 'lost', node }, ...page.map(copiesEnded)];
    const outcome = await commit(store, { conditions, edits: page.map(removedSnapshot), frees: true });
    if (outcome.word !== 'ok') break; // so is the change set that follows
  }
  const ids = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(id), '0', '-1'));
  const { edits } = await abandonment(store, volume);
  const noted = edits.map((edit) =>
    edit.kind === 'abandoned' && ids.length > 0
      ? Object.assign(edit, { set: { ...edit.set, withSnapshots: 'true', leftSnapshots: ids.join(',') } })
      : edit,
  );
  return {
    conditions: [...ids.map(copiesEnded), { is: 'empty', key: `volume:${id}:copies` }],
    edits: [...noted, ...ids.map(removedSnapshot)],
  };
}

function copiesEnded(snapshot: string): Condition {
  return { is: 'empty', key: `snapshot:${snapshot}:copies` };
}

/** Returns the edit that notes, beside its record, a volume whose storage its node is to remove when it returns. */
export async function abandonedEdit(store: Store, id: string): Promise<Edit> {
  const record = await store.read((redis) => redis.hgetall(store.keys.volume(id)));
  const kept = Object.entries(record).filter(([name]) => !dropped.has(name));
  return { kind: 'abandoned', id, insert: true, set: Object.fromEntries(kept) };
}

const dropped = new Set([
  'task',
  'requesters',
  'progress',
  'step',
  'attempts',
  'fault',
  'migration',
  ...attachmentFields,
]);
