import { errors, fromFault } from '../../lib/errors.ts';
import type { Store } from '../../lib/redis/store.ts';
import { follow, readVolume } from './follow.ts';

/**
 * Waits while the wipe of a large volume makes progress; returns whether the deletion ended. Throws its fault; ChangeLost where the
 * volume is there and is no longer being deleted.
 */
export async function followDeletion(store: Store, id: string, { maxIdleMs }: { maxIdleMs: number }): Promise<boolean> {
  const before = await readVolume(store, id);
  if (before === undefined) return true;
  if (before.progress === undefined) return false;
  const { over, volume } = await follow(store, id, { isOver: (now) => now?.status !== 'deleting', maxIdleMs });
  // Another volume has its id.
  if (volume === undefined || volume.createTime !== before.createTime) return true;
  if (volume.fault) throw fromFault(volume.fault);
  if (over) throw errors.changeLost(id, 'delete', volume.status);
  return false;
}
