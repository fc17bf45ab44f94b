import { BlockstoreError, errors, fromFault } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { type VolumeState, attachStatuses, isTransitional, volumeStatuses } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { follow, showing } from './follow.ts';
import { volumeJson } from './present.ts';

export interface WaitOptions {
  status?: string;
  deleted?: boolean;
  /** Milliseconds. */
  timeout?: number;
}

/** Prints the status that the volume ended in, or "deleted". */
export async function waitForVolume(context: Context, typed: string, options: WaitOptions): Promise<void> {
  const { status, deleted = false, timeout } = options;
  const known: readonly string[] = [...volumeStatuses, ...attachStatuses];
  if (status !== undefined && !known.includes(status)) {
    throw errors.invalidArgument('status', status, `one of ${known.join(', ')}`);
  }
  const { output, interrupts } = context;
  await using session = await context.open();
  const id = await idOf(session, typed, deleted);
  if (id === undefined) return;
  const isReached = (volume: VolumeState) =>
    status === undefined
      ? !deleted && !isTransitional(volume)
      : volume.status === status || volume.attachStatus === status;
  const { over, volume } = await interrupts.during('change', id, () =>
    showing(output, session.store, id, () =>
      follow(session.store, id, {
        isOver: (now) => now === undefined || isReached(now) || hasFailed(now),
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      }),
    ),
  );
  if (volume === undefined) {
    if (status !== undefined) throw errors.volumeNotFound(typed);
    await (output.json ? output.document({ id, status: 'deleted' }) : output.line('deleted'));
    return;
  }
  if (!over) {
    const wanted = deleted ? 'deleted' : (status ?? 'settled');
    throw errors.notReached(id, wanted, (timeout ?? 0) / 1000, volume.status);
  }
  if (volume.fault && volume.status !== status) throw fromFault(volume.fault);
  if (output.json) await output.document(volumeJson(volume));
  else await output.line(volume.status);
}

/** What somebody waits to see deleted may be gone already: that is no error. */
async function idOf(session: Session, typed: string, mayBeGone: boolean): Promise<string | undefined> {
  try {
    return (await findVolume(session.store, typed)).identifier;
  } catch (error) {
    if (mayBeGone && error instanceof BlockstoreError && error.code === 'VolumeNotFound') return undefined;
    throw error;
  }
}

/** It will not come to anything else by itself. */
function hasFailed(volume: VolumeState): boolean {
  return !isTransitional(volume) && volume.fault !== undefined;
}
