import { pooledAddress } from '../aoe/address.ts';
import { removedAttachment, stateOf } from '../models/volume-edit.ts';
import { attachmentFields } from '../models/volume-fields.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { ChangeSet, Edit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/**
 * The record of a volume that is deleted moves aside: its node removes the storage when it returns. The address is in quarantine from
 * now on, for the node may be removed, with its shelves, before it returns.
 */
export async function abandonment(store: Store, volume: VolumeState): Promise<ChangeSet> {
  const { id } = volume;
  return {
    edits: [
      { kind: 'volume', id, remove: true, rest: pooledAddress(volume.address), expect: stateOf(volume) },
      await abandonedEdit(store, id),
      ...volume.attachments.map(removedAttachment),
    ],
  };
}

/** Returns the edit that notes, beside its record, a volume whose storage its node is to remove when it returns. */
export async function abandonedEdit(store: Store, id: string): Promise<Edit> {
  const record = await store.read((redis) => redis.hgetall(store.keys.volume(id)));
  const kept = Object.entries(record).filter(([name]) => !dropped.has(name));
  return { kind: 'abandoned', id, insert: true, set: Object.fromEntries(kept) };
}

const dropped = new Set(['task', 'requesters', 'progress', 'step', 'attempts', 'fault', ...attachmentFields]);
