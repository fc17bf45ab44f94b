import { pollUntil } from '../concurrency.ts';
import type { TaskKind } from '../models/task.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';
import type { SendOptions } from './volume-commands.ts';

/** Tasks that leave a volume as it is, and mostly take a moment. */
const brief: ReadonlySet<TaskKind> = new Set(['snapshot', 'delete-snapshot', 'rename']);
/** An attach of a further host takes some hundred milliseconds. */
const firstPauseMs = 20;
const longestPauseMs = 500;

/** Whether a volume that several hosts can have is being attached or detached. */
export function isChangingHosts({ isMultiattach, task }: VolumeState): boolean {
  return isMultiattach && (task?.kind === 'attach' || task?.kind === 'detach');
}

function isBrief({ task }: VolumeState): boolean {
  return task !== undefined && brief.has(task.kind);
}

/**
 * Waits for the end of another request's task of a volume: for one that leaves the volume as it is, such as a snapshot, and for an attach or
 * a detach of a volume that several hosts can have. Returns false at once where the volume has no such task, where that is about
 * `attachment`, or the time, by performance.now(), is over.
 */
export async function othersTurnEnded(
  store: Store,
  volume: VolumeState,
  { attachment, until }: { attachment: string; until: number },
): Promise<boolean> {
  const leftMs = until - performance.now();
  const isOfOthers = isChangingHosts(volume) && volume.attachment !== attachment;
  if (leftMs <= 0 || !(isOfOthers || isBrief(volume))) return false;
  const key = store.keys.volume(volume.id);
  const isOver = async () => (await store.read((redis) => redis.hget(key, 'task'))) !== volume.taskText;
  await pollUntil(isOver, { deadlineMs: leftMs, intervalMs: firstPauseMs, maxIntervalMs: longestPauseMs });
  return true;
}

/** Returns until when a request that begins now waits for its turn, by performance.now(); without a limit that is not at all. */
export function turnEnd({ deadlineMs = 0, turnMs = deadlineMs }: SendOptions): number {
  return performance.now() + turnMs;
}
