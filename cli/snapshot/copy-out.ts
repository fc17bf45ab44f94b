import { randomUUID } from 'node:crypto';
import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import type { JobKind } from '../../lib/models/job-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import type { Session } from '../session.ts';
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
}

/**
 * Gives the data of a volume to a backup or an image: as it is, or those of a snapshot. Throws what copyOut() and copySnapshot() throw,
 * InvalidArgument for a snapshot of another volume.
 */
export async function copyDataOut(
  context: Context,
  session: Session,
  volume: VolumeState,
  options: CopyOutOptions,
  copy: CopyOut,
): Promise<void> {
  const { snapshot: reference, force = false } = options;
  if (reference !== undefined) {
    const { id, volume: of } = await findSnapshot(session.store, reference);
    if (of !== volume.id) throw errors.invalidArgument('snapshot', reference, `a snapshot of volume ${volume.id}`);
    return ofSnapshot(context, session, id, options, copy);
  }
  if (!force || volume.attachStatus === 'detached') return copy.ofVolume();
  if (!waitsForEnd(options)) throw errors.forceWaits(volume.id, copy.kind);
  const id = randomUUID();
  const { projectId, name } = volume;
  const request = { id, userId: currentUser().name, projectId, force, name: `${copy.kind}-of-${name || volume.id}` };
  const patience = { deadlineMs: options.timeout ?? defaultTimeoutMs };
  await session.snapshots.create(volume.id, request, patience);
  try {
    await ofSnapshot(context, session, id, options, copy);
  } finally {
    await session.snapshots.delete(id, patience).catch((error: unknown) => {
      context.output.warn(
        `the snapshot for it is left: ${asError(error).message}; to delete it: blockstore snapshot delete ${id}`,
      );
    });
  }
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
  const call = (send: SendOptions, onBegin: (job: string) => void) =>
    commands.copySnapshot(snapshot, { target, isDone, onBegin }, send);
  await interrupts.during(
    kind,
    snapshot,
    () => followJob(session, output, { kind, snapshot, ...waiting }, call),
    errors.jobInterrupted,
  );
}
