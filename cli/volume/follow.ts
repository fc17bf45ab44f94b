import { setTimeout as pause } from 'node:timers/promises';
import { asError } from '../../lib/errors.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';

const pollMs = 500;

/** Returns a volume's record, or undefined when it does not exist. */
export function readVolume(store: Store, id: string): Promise<VolumeState | undefined> {
  return volumesOf(store).find(id);
}

export interface FollowOptions {
  isOver: (volume: VolumeState | undefined) => boolean;
  /** Time limit. */
  timeoutMs?: number;
  /** Time limit without a change of status or progress. */
  maxIdleMs?: number;
  onRead?: (volume: VolumeState | undefined) => void;
  /** The record as it was just read: then Redis may be away from the beginning. */
  known?: VolumeState;
}

/**
 * Polls a record until `isOver` or a time limit; `over` says which. Returns the last record read. An interruption of Redis after the first
 * read says nothing about the record: it is waited for, within the time limit.
 */
export async function follow(
  store: Store,
  id: string,
  { isOver, timeoutMs = Infinity, maxIdleMs = Infinity, onRead, known }: FollowOptions,
): Promise<{ over: boolean; volume: VolumeState | undefined }> {
  const began = performance.now();
  let lastChange = began;
  let last = '';
  let volume = known === undefined ? await readVolume(store, id) : await readUnlessAway(store, id, known);
  for (;;) {
    onRead?.(volume);
    if (isOver(volume)) return { over: true, volume };
    const now = performance.now();
    const state = describeActivity(volume);
    if (state !== last) lastChange = now;
    last = state;
    if (now - began >= timeoutMs || now - lastChange >= maxIdleMs) return { over: false, volume };
    await pause(Math.min(pollMs, timeoutMs));
    volume = await readUnlessAway(store, id, volume);
  }
}

async function readUnlessAway(
  store: Store,
  id: string,
  before: VolumeState | undefined,
): Promise<VolumeState | undefined> {
  try {
    return await readVolume(store, id);
  } catch (thrown) {
    if (asError(thrown).code !== 'RedisUnreachable') throw thrown;
    return before;
  }
}

/** Returns the current activity of a volume in a few words. */
function describeActivity(volume: VolumeState | undefined): string {
  if (!volume) return 'deleted';
  const { status, attachStatus, progress } = volume;
  const what = attachStatus === 'attaching' || attachStatus === 'detaching' ? attachStatus : status;
  return progress === undefined ? what : `${what}, ${progress} %`;
}

/** Shows the activity of a volume on a terminal while `work` waits for it. */
export async function withProgress<T>(output: Output, store: Store, id: string, work: () => Promise<T>): Promise<T> {
  if (!output.isWatched) return work();
  const progress = new Progress(output, `volume ${id}`);
  let over = false;
  const polling = follow(store, id, {
    isOver: (volume) => over || volume === undefined,
    onRead: (volume) =>
      progress.update(`volume ${id}: ${volume && isTransitional(volume) ? describeActivity(volume) : 'requested'}`),
  }).catch(() => undefined); // `work` reports the error
  try {
    return await work();
  } finally {
    over = true;
    progress.end();
    await polling;
  }
}
