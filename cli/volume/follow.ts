import { setTimeout as pause } from 'node:timers/promises';
import { BlockstoreError } from '../../lib/errors.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { Volume } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';

const pollMs = 500;

/** A volume's record as it stands; undefined once it is deleted. */
export async function look(store: Store, id: string): Promise<VolumeState | undefined> {
  try {
    return (await Volume.lookup(store, id)).state;
  } catch (error) {
    if (error instanceof BlockstoreError && error.code === 'VolumeNotFound') return undefined;
    throw error;
  }
}

export interface FollowOptions {
  isOver: (volume: VolumeState | undefined) => boolean;
  /** Gives up after so long. */
  timeoutMs?: number;
  /** Gives up when nothing moved for so long. */
  patienceMs?: number;
  onLook?: (volume: VolumeState | undefined) => void;
}

/** Polls a record until it is over with it: the record then, or, of one given up, undefined in `over`. */
export async function follow(
  store: Store,
  id: string,
  { isOver, timeoutMs = Infinity, patienceMs = Infinity, onLook }: FollowOptions,
): Promise<{ over: boolean; volume: VolumeState | undefined }> {
  const began = performance.now();
  let moved = began;
  let last = '';
  for (;;) {
    const volume = await look(store, id);
    onLook?.(volume);
    if (isOver(volume)) return { over: true, volume };
    const now = performance.now();
    const state = doing(volume);
    if (state !== last) moved = now;
    last = state;
    if (now - began >= timeoutMs || now - moved >= patienceMs) return { over: false, volume };
    await pause(Math.min(pollMs, timeoutMs));
  }
}

/** What goes on with a volume, in a word or three. */
export function doing(volume: VolumeState | undefined): string {
  if (!volume) return 'deleted';
  const { status, attachStatus, progress, node } = volume;
  const what = attachStatus === 'attaching' || attachStatus === 'detaching' ? attachStatus : status;
  if (progress !== undefined) return `${what}, ${progress} %`;
  return node === '' && status === 'creating' ? 'waiting for a node to take it' : what;
}

/** Shows on a terminal how it goes with a volume while `work` waits for it. */
export async function showing<T>(output: Output, store: Store, id: string, work: () => Promise<T>): Promise<T> {
  if (!output.isWatched) return work();
  const progress = new Progress(output, `volume ${id}`);
  let over = false;
  const watching = follow(store, id, {
    isOver: (volume) => over || volume === undefined,
    onLook: (volume) =>
      progress.update(`volume ${id}: ${volume && isTransitional(volume) ? doing(volume) : 'asked for'}`),
  }).catch(() => undefined); // the work itself says what went wrong
  try {
    return await work();
  } finally {
    over = true;
    progress.end();
    await watching;
  }
}
