import type { Recording, SendOptions } from '../../lib/client/volume-commands.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findSnapshotOfVolume } from '../../lib/models/find-snapshot-of-volume.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { JobKind } from '../../lib/models/job-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Output } from '../output.ts';
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
  /** Whether its id was made by this command. */
  isOwnId: boolean;
  /** Makes it without data. Returns whether it was not there before. */
  make: () => Promise<boolean>;
  /** Whether it has the data. */
  isDone: () => Promise<boolean>;
  /** Gives it those of the volume itself, which is detached. */
  ofVolume: (recording: Recording) => Promise<void>;
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
 * Makes what is to get the data, and gives it those of a volume: as it is, or those of a snapshot. An interruption before the request is
 * recorded leaves nothing. Throws Interrupted, what `make` throws, and what copyOut(), copySnapshot() and copyAttached() throw; then the
 * target is removed, unless it may get its data yet.
 */
export async function copyDataOut(
  { interrupts, output }: Context,
  session: Session,
  source: CopySource,
  options: CopyOutOptions,
  copy: CopyOut,
): Promise<void> {
  const { kind, make, isOwnId, discard, later, ofVolume } = copy;
  const { volume, snapshot } = source;
  const isJob = snapshot !== undefined || (options.force === true && volume.attachStatus !== 'detached');
  await interrupts.undoable(kind, async (signal, onBegun) => {
    // With an id of the user it can have been there before.
    let isNew = isOwnId;
    const recording = {
      signal,
      onRecorded: () =>
        onBegun(isJob ? errors.jobInterrupted(kind, nameOf(source)) : errors.interrupted(kind, volume.id)),
    };
    const refuseInterrupted = () => {
      if (signal.aborted) throw errors.undone(kind, `volume ${volume.id}`);
    };
    try {
      isNew = await make();
      refuseInterrupted();
      await (isJob ? byJob(session, output, source, { options, copy, recording }) : ofVolume(recording));
    } catch (error) {
      const { code } = asError(error);
      if (unsureCodes.has(code) || code === 'NotFinished') {
        output.warn(later);
        throw error;
      }
      if (isNew) await discard().catch((reason: unknown) => output.warn(staysEmpty(reason)));
      refuseInterrupted();
      throw error;
    }
  });
}

function staysEmpty(reason: unknown): string {
  return `it stays without data: ${asError(reason).message}`;
}

async function byJob(
  session: Session,
  output: Output,
  source: CopySource,
  { options, copy, recording }: { options: CopyOutOptions; copy: CopyOut; recording: Recording },
): Promise<void> {
  const { volume, snapshot } = source;
  const { kind, target, isDone } = copy;
  const { wait, timeout } = options;
  const waiting = { ...(wait === undefined ? {} : { wait }), ...(timeout === undefined ? {} : { timeout }) };
  const commands = kind === 'backup' ? session.backups : session.images;
  // The node may have removed what a job that failed was to fill.
  const isThere = () =>
    isDone().catch((error: unknown) => {
      if (asError(error).kind === 'notFound') return false;
      throw error;
    });
  const call = (send: SendOptions, onBegin: (job: string) => void) => {
    const request = { target, isDone: isThere, onBegin };
    return snapshot === undefined
      ? commands.copyAttached(volume.id, request, { ...send, recording })
      : commands.copySnapshot(snapshot, request, { ...send, recording });
  };
  await followJob(session, output, { kind, of: nameOf(source), ...waiting }, call);
}

function nameOf({ volume, snapshot }: CopySource): string {
  return snapshot === undefined ? `volume ${volume.id}` : `snapshot ${snapshot}`;
}
