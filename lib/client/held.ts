import type { BlockstoreError } from '../blockstore-error.ts';
import { errors } from '../errors.ts';
import { usersOf } from '../models/attachment.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';

/** Returns why a volume with attachments does not change: hosts have it, or it is reserved for them. */
export async function heldError(store: Store, volume: VolumeState): Promise<BlockstoreError> {
  const { id, attachStatus, attachments } = volume;
  const users = await usersOf(store, volume);
  const [first = ''] = attachments;
  return attachStatus === 'detached' ? errors.volumeReserved(id, users, first) : errors.volumeAttached(id, users);
}
