import { BlockstoreError, errors, fromFault } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { type VolumeState, attachStatuses, isTransitional, volumeStatuses } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { follow, withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';

export interface WaitOptions {
  status?: string;
  deleted?: boolean;
  /** Milliseconds. */
  timeout?: number;
}

/** Prints the final status of the volume, or "deleted". */
export async function waitForVolume(context: Context, reference: string, options: WaitOptions): Promise<void> {
  const { status, deleted = false, timeout } = options;
  const statuses: readonly string[] = [...volumeStatuses, ...attachStatuses];
  if (status !== undefined && !statuses.includes(status)) {
    throw errors.invalidArgument('status', status, `one of ${statuses.join(', ')}`);
  }
  const { output, interrupts } = context;
  await using session = await context.open();
  const first = await findOrGone(session, reference, deleted);
  if (first === undefined) {
    await (output.json ? output.document({ id: null, status: 'deleted' }) : output.line('deleted'));
    return;
  }
  const { id, createTime } = first;
  /** A volume that was created with the id of a deleted one is not the one that the wait is for. */
  const isGone = (volume: VolumeState) => volume.createTime !== createTime;
  const isReached = (volume: VolumeState) =>
    status === undefined
      ? !deleted && !isTransitional(volume)
      : volume.status === status || volume.attachStatus === status;
  const { over, volume } = await interrupts.during('change', id, () =>
    withProgress(output, session.store, id, () =>
      follow(session.store, id, {
        known: first,
        isOver: (now) => now === undefined || isGone(now) || isReached(now) || hasFailed(now),
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      }),
    ),
  );
  if (volume === undefined || isGone(volume)) {
    if (status !== undefined) throw errors.volumeNotFound(reference);
    await (output.json ? output.document({ id, status: 'deleted' }) : output.line('deleted'));
    return;
  }
  if (!over) {
    const expected = deleted ? 'deleted' : (status ?? 'idle');
    throw errors.notReached(id, expected, timeout ?? 0, volume.status);
  }
  if (volume.fault && volume.status !== status) throw fromFault(volume.fault);
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.status);
}

/**
 * Returns undefined for a missing volume when `mayBeGone`: it is already deleted. Its name can then be the beginning of another one's
 * id, which is no answer.
 */
async function findOrGone(session: Session, reference: string, mayBeGone: boolean): Promise<VolumeState | undefined> {
  try {
    return await findVolume(session.store, reference, { byBeginning: !mayBeGone });
  } catch (error) {
    if (mayBeGone && error instanceof BlockstoreError && error.code === 'VolumeNotFound') return undefined;
    throw error;
  }
}

/** Whether the operation ended with a fault. */
function hasFailed(volume: VolumeState): boolean {
  return !isTransitional(volume) && volume.fault !== undefined;
}
