import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findSnapshotOfVolume } from '../../lib/models/find-snapshot-of-volume.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { JobKind } from '../../lib/models/job-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { unsureCodes } from '../unsure-codes.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import { followJob } from './follow-job.ts';

export interface CopyOutOptions extends ChangeOptions {
  /** A snapshot of the volume, in place of the volume as it is. */
  snapshot?: string;
  /** An attached volume as well: by a snapshot that is there for that alone. */
  force?: boolean;
}

export interface CopyOut {
  kind: JobKind;
  /** The id of what gets the data. */
  target: string;
  /** Whether it has them. */
  isDone: () => Promise<boolean>;
  /** Of the volume itself, which is detached. */
  ofVolume: () => Promise<void>;
  /** Removes it without its data. */
  discard: () => Promise<unknown>;
  /** What is said where it may get its data yet. */
  later: string;
}

/** A volume, or a snapshot of it, with the size that it has. */
export interface CopySource {
  volume: VolumeState;
  snapshot?: string;
  size: number;
}

/** Throws VolumeNotFound, SnapshotNotFound, InvalidArgument for a snapshot of another volume. */
export async function copySource(
  { store }: Session,
  reference: string,
  { snapshot }: CopyOutOptions,
): Promise<CopySource> {
  const volume = await findVolume(store, reference);
  if (snapshot === undefined) return { volume, size: volume.size };
  const found = await findSnapshotOfVolume(store, volume.id, snapshot);
  if (found.volume !== volume.id)
    throw errors.invalidArgument('snapshot', snapshot, `a snapshot of volume ${volume.id}`);
  return { volume, snapshot: found.id, size: found.size };
}

/**
 * Makes what is to get the data. Where that fails or is interrupted, nothing of it stays. `make` returns whether it was not there before.
 * Throws Interrupted, and what `make` throws.
 */
export async function makeTarget(
  { interrupts, output }: Context,
  { volume }: CopySource,
  { kind, discard, isOwnId }: Pick<CopyOut, 'kind' | 'discard'> & { isOwnId: boolean },
  make: () => Promise<boolean>,
): Promise<void> {
  await interrupts.undoable(kind, async (signal) => {
    // With an id of the user it can have been there before.
    let isNew = isOwnId;
    try {
      isNew = await make();
      if (signal.aborted) throw errors.undone(kind, `volume ${volume.id}`);
    } catch (error) {
      if (isNew) await discard().catch((reason: unknown) => output.warn(staysEmpty(reason)));
      throw error;
    }
  });
}

/**
 * Gives the data of a volume to a backup or an image: as it is, or those of a snapshot. Throws what copyOut(), copySnapshot() and
 * copyAttached() throw; then it is removed, unless it may get its data yet.
 */
export async function copyDataOut(
  context: Context,
  session: Session,
  source: CopySource,
  options: CopyOutOptions,
  copy: CopyOut,
): Promise<void> {
  const { output } = context;
  const { volume, snapshot } = source;
  const isByForce = options.force === true && volume.attachStatus !== 'detached';
  try {
    await (snapshot !== undefined || isByForce ? byJob(context, session, source, options, copy) : copy.ofVolume());
  } catch (error) {
    const { code } = asError(error);
    if (unsureCodes.has(code) || code === 'NotFinished') {
      output.warn(copy.later);
    } else {
      await copy.discard().catch((reason: unknown) => output.warn(staysEmpty(reason)));
    }
    throw error;
  }
}

function staysEmpty(reason: unknown): string {
  return `it stays without data: ${asError(reason).message}`;
}

async function byJob(
  { output, interrupts }: Context,
  session: Session,
  { volume: { id: volume }, snapshot }: CopySource,
  options: CopyOutOptions,
  { kind, target, isDone }: CopyOut,
): Promise<void> {
  const { wait, timeout } = options;
  const waiting = { ...(wait === undefined ? {} : { wait }), ...(timeout === undefined ? {} : { timeout }) };
  const commands = kind === 'backup' ? session.backups : session.images;
  // The node may have removed what a job that failed was to fill.
  const isThere = () =>
    isDone().catch((error: unknown) => {
      if (asError(error).kind === 'notFound') return false;
      throw error;
    });
  const of = snapshot === undefined ? `volume ${volume}` : `snapshot ${snapshot}`;
  const call = (send: SendOptions, onBegin: (job: string) => void) => {
    const request = { target, isDone: isThere, onBegin };
    return snapshot === undefined
      ? commands.copyAttached(volume, request, send)
      : commands.copySnapshot(snapshot, request, send);
  };
  await interrupts.during(
    kind,
    of,
    () => followJob(session, output, { kind, of, ...waiting }, call),
    errors.jobInterrupted,
  );
}
