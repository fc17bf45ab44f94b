import { randomUUID } from 'node:crypto';
import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { JobKind } from '../../lib/models/job-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import type { Session } from '../session.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { type ChangeOptions, defaultTimeoutMs, waitsForEnd } from '../volume/wait-options.ts';
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
  const found = await findSnapshot(store, snapshot);
  if (found.volume !== volume.id)
    throw errors.invalidArgument('snapshot', snapshot, `a snapshot of volume ${volume.id}`);
  return { volume, snapshot: found.id, size: found.size };
}

/**
 * Gives the data of a volume to a backup or an image: as it is, or those of a snapshot. Throws what copyOut() and copySnapshot() throw; then
 * it is removed, unless it may get its data yet.
 */
export async function copyDataOut(
  context: Context,
  session: Session,
  source: CopySource,
  options: CopyOutOptions,
  copy: CopyOut,
): Promise<void> {
  const { output } = context;
  const discard = () =>
    copy.discard().catch((error: unknown) => output.warn(`it stays without data: ${asError(error).message}`));
  const { volume } = source;
  const isByForce = source.snapshot === undefined && options.force === true && volume.attachStatus !== 'detached';
  const snapshot = isByForce
    ? await ownSnapshot(context, session, volume, options, copy.kind).catch(async (error: unknown) => {
        await discard();
        throw error;
      })
    : source.snapshot;
  try {
    await (snapshot === undefined ? copy.ofVolume() : ofSnapshot(context, session, snapshot, options, copy));
  } catch (error) {
    const { code } = asError(error);
    if (unsureCodes.has(code) || code === 'NotFinished') output.warn(copy.later);
    else await discard();
    throw error;
  } finally {
    if (isByForce && snapshot !== undefined) await deleteOwn(context, session, snapshot, options);
  }
}

/** A snapshot that is there for the copy alone. */
async function ownSnapshot(
  { output }: Context,
  session: Session,
  { id: volume, projectId }: VolumeState,
  options: CopyOutOptions,
  kind: JobKind,
): Promise<string> {
  if (!waitsForEnd(options)) throw errors.forceWaits(volume, kind);
  const id = randomUUID();
  const request = { id, userId: currentUser().name, projectId, force: true, name: `${kind}-of-${volume}` };
  await session.snapshots.create(volume, request, patienceOf(options)).catch((error: unknown) => {
    const { code } = asError(error);
    if (unsureCodes.has(code) || code === 'NotFinished') output.warn(leftBehind(id));
    throw error;
  });
  return id;
}

async function deleteOwn({ output }: Context, session: Session, id: string, options: CopyOutOptions): Promise<void> {
  await session.snapshots.delete(id, patienceOf(options)).catch((error: unknown) => {
    output.warn(`${asError(error).message}: ${leftBehind(id)}`);
  });
}

function leftBehind(snapshot: string): string {
  return `the snapshot for it may be left; to delete it: blockstore snapshot delete ${snapshot}`;
}

function patienceOf({ timeout = defaultTimeoutMs }: CopyOutOptions): SendOptions {
  return { deadlineMs: timeout };
}

async function ofSnapshot(
  { output, interrupts }: Context,
  session: Session,
  snapshot: string,
  options: CopyOutOptions,
  { kind, target, isDone }: CopyOut,
): Promise<void> {
  const { wait, timeout } = options;
  const waiting = { ...(wait === undefined ? {} : { wait }), ...(timeout === undefined ? {} : { timeout }) };
  const commands = kind === 'backup' ? session.backups : session.images;
  // The node has removed what a job that failed was to fill.
  const isThere = () =>
    isDone().catch((error: unknown) => {
      if (asError(error).kind === 'notFound') return false;
      throw error;
    });
  const call = (send: SendOptions, onBegin: (job: string) => void) =>
    commands.copySnapshot(snapshot, { target, isDone: isThere, onBegin }, send);
  await interrupts.during(
    kind,
    snapshot,
    () => followJob(session, output, { kind, snapshot, ...waiting }, call),
    errors.jobInterrupted,
  );
}
