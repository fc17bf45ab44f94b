import { setTimeout as pause } from 'node:timers/promises';
import { asError, errors } from '../../../lib/errors.ts';
import type { MigrationState } from '../../../lib/models/migration-state.ts';
import { movedLabel } from '../specs.ts';
import { storedVolume } from '../found-storage.ts';
import type { StepContext } from './operation.ts';

const pollMs = 1000;

/**
 * Whether a migration can still be cancelled: the volume has its storage here, and has not left it. The storage decides, as an older state
 * of Redis can have a migration again that has ended.
 */
export async function isCancellable({
  volume,
  backend: { driver },
}: Pick<StepContext, 'volume' | 'backend'>): Promise<boolean> {
  const own = await storedVolume(driver, volume.id);
  return own !== undefined && own.labels[movedLabel] === undefined;
}

/** Sends the data of a volume, as long as nobody cancels its migration. Throws MigrationCancelled. */
export async function sendUnlessCancelled(
  context: StepContext,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { volume, migrations, signal } = context;
  if (!(await isCancellable(context))) return send(signal);
  await stay(context); // an earlier run was about to leave, and did not
  const [cancelling, ended] = [new AbortController(), new AbortController()];
  const watch = async () => {
    while (!cancelling.signal.aborted) {
      await pause(pollMs, undefined, { signal: ended.signal });
      // Where Redis does not answer, the work goes on.
      const found = await migrations.read(volume.migration).catch(() => undefined);
      if (found?.isCancelRequested) cancelling.abort();
    }
  };
  const watching = watch().catch(() => undefined);
  try {
    await send(AbortSignal.any([signal, cancelling.signal]));
  } catch (error) {
    if (!signal.aborted && cancelling.signal.aborted) throw errors.migrationCancelled(volume.id);
    throw error;
  } finally {
    ended.abort();
    await watching;
  }
}

/** Before the storage is labelled as left: from here on nobody can cancel the migration. Throws MigrationCancelled. */
export async function refuseCancelled(context: StepContext, migration: MigrationState): Promise<void> {
  if (migration.hasArrived || !(await isCancellable(context))) return;
  context.migration = { ...migration, isLeaving: true }; // also where the answer is lost
  await context.migrations.setLeaving(migration);
}

/**
 * Before hosts may write to the storage here again: where the node is lost after that, the destination does not have all data. Throws
 * Fenced where it was lost before: the volume may be there.
 */
export async function stay(context: StepContext): Promise<void> {
  const { volume, migrations } = context;
  try {
    const migration = context.migration ?? (await migrations.read(volume.migration));
    if (!migration.isLeaving) return;
    await migrations.unsetLeaving(migration.id);
    context.migration = { ...migration, isLeaving: false, isComplete: false };
  } catch (error) {
    // Nobody can take it by a migration that Redis has lost.
    if (asError(error).code !== 'ChangeLost') throw error;
  }
}
