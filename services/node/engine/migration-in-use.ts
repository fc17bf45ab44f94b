import { asError, errors } from '../../../lib/errors.ts';
import type { MigrationState } from '../../../lib/models/migration-state.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { exportSpec, markedSpec, movedLabel, volumeSpec } from '../specs.ts';
import { refuseCancelled, sendUnlessCancelled, stay } from './migration-cancel.ts';
import { destinationOf, placeLeftFor, placeOf, refuseSnapshots } from './migration-destination.ts';
import type { StepContext } from './operation.ts';

/** Whether hosts have the volume while it migrates: they go on writing to it, and find it at the same address afterwards. */
export function isInUse({ attachStatus }: Pick<VolumeState, 'attachStatus'>): boolean {
  return attachStatus === 'attached';
}

/**
 * The destination has all the data, and no host writes to the storage here any more, which the volume has left. Where that fails, hosts have
 * it here again. What an earlier run has done is done again: it has ended while hosts waited, or they have written since.
 */
export async function copyInUse(context: StepContext): Promise<void> {
  const { volume, backend, addresses, migrations, progress } = context;
  const { id } = volume;
  if ((await placeLeftFor(context)) === undefined) await serve(context);
  const { migration, wasLeft } = await destinationOf(context);
  if (migration.hasArrived) {
    await backend.target.removeExport(id);
    return retire(context, migration);
  }
  if (wasLeft) await resume(context);
  await refuseSnapshots(context);
  if (volume.lender === '' && !(await addresses.isOwn(volume.address))) {
    throw errors.shelfOfOtherNode(id, volume.address, addresses.ownerOf(volume.address) ?? '');
  }
  let isStopped = false;
  const stop = async () => {
    await context.checkTask();
    isStopped = true;
    await backend.target.removeExport(id);
  };
  const path = backend.driver.localPath(volumeSpec(volume));
  const { key, endpoint } = migration;
  try {
    await sendUnlessCancelled(context, (signal) =>
      migrations.transport.send(
        { migration: migration.id, key, endpoint },
        { volume: id, path, sizeBytes: sizeInBytes(volume.size) },
        { signal, progress, writers: { stop, limitMs: migrations.stallMs } },
      ),
    );
    await retire(context, migration);
  } catch (error) {
    // Where that fails too, the next run or the next report does it.
    if (isStopped) await resume(context).catch(() => undefined);
    throw error;
  }
}

/** From here on the storage is not the volume's any more. */
async function retire(context: StepContext, migration: MigrationState): Promise<void> {
  const { volume, backend, checkTask } = context;
  await checkTask(); // what follows is of no use where Redis has lost the migration
  await refuseCancelled(context, migration);
  try {
    await backend.driver.labelVolume(markedSpec(volume, movedLabel, placeOf(migration)));
  } catch (error) {
    // The volume has arrived long ago, and this was removed.
    if (!migration.hasArrived || asError(error).code !== 'StorageMissing') throw error;
  }
}

/**
 * The volume stays here, and its hosts have it again. While Redis does not answer nobody else can have it. Throws Fenced, TaskLost: the
 * record says then what becomes of it.
 */
export async function resume(context: StepContext): Promise<void> {
  const { volume, backend, checkTask } = context;
  try {
    await checkTask();
  } catch (error) {
    if (asError(error).kind !== 'unavailable') throw error;
  }
  if ((await placeLeftFor(context)) !== undefined) await backend.driver.labelVolume(volumeSpec(volume));
  await serve(context);
}

async function serve(context: StepContext): Promise<void> {
  const { volume, backend } = context;
  await stay(context);
  await backend.driver.ensureVolume(volumeSpec(volume));
  await backend.target.ensureExport(exportSpec(volume, backend));
}
