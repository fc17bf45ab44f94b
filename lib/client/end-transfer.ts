import { editOf, endedWith } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { redisTime } from '../redis/redis-time.ts';
import { type LeaseToken, type Outcome, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/** Ends the transfer of a volume, which is available again. Nothing happens where the volume has changed since it was read. */
export function endTransfer(store: Store, volume: VolumeState, owner?: LeaseToken): Promise<Outcome> {
  return commit(store, {
    ...(owner ? { owner } : {}),
    edits: [
      editOf(volume, 'endTransfer', { expect: { transfer: volume.transfer } }),
      ...endedWith(volume, 'endTransfer'),
    ],
    event: 'volume.transfer.end',
    frees: true,
  });
}

/** Ends the transfer of a volume if it has expired, by the clock of Redis. Returns whether it had: the record has changed. */
export async function endIfExpired(store: Store, volume: VolumeState): Promise<boolean> {
  const { status, transferExpires = Infinity } = volume;
  if (status !== 'awaiting-transfer' || (await redisTime(store)) < transferExpires) return false;
  await endTransfer(store, volume);
  return true;
}
