import { pollUntil } from '../concurrency.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';

/** An attach of a further host takes some hundred milliseconds. */
const firstPauseMs = 20;
const longestPauseMs = 500;

/** Whether a volume that several hosts can have is being attached or detached. */
export function isChangingHosts({ isMultiattach, task }: VolumeState): boolean {
  return isMultiattach && (task?.kind === 'attach' || task?.kind === 'detach');
}

/**
 * Waits for the end of another request's attach or detach of a volume that several hosts can have: each is a task of the volume. Returns
 * false at once where the volume has no such task, where that is about `attachment`, or the time, by performance.now(), is over.
 */
export async function othersTurnEnded(
  store: Store,
  volume: VolumeState,
  { attachment, until }: { attachment: string; until: number },
): Promise<boolean> {
  const leftMs = until - performance.now();
  if (leftMs <= 0 || !isChangingHosts(volume) || volume.attachment === attachment) return false;
  const key = store.keys.volume(volume.id);
  const isOver = async () => (await store.read((redis) => redis.hget(key, 'task'))) !== volume.taskText;
  await pollUntil(isOver, { deadlineMs: leftMs, intervalMs: firstPauseMs, maxIntervalMs: longestPauseMs });
  return true;
}
