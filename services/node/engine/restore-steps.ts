import { usersOfStorage } from '../../../lib/devices/storage-users.ts';
import type { Labels, VolumeDriver } from '../../../lib/drivers/driver.ts';
import { withVolumeData } from '../../../lib/drivers/open-data.ts';
import { errors } from '../../../lib/errors.ts';
import { imageMetadataField } from '../../../lib/models/metadata.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { writeSource } from '../../../lib/models/restore-source.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { movedLabel, restoreLabel, restoredLabel, unfinishedSource, volumeSpec } from '../specs.ts';
import type { OperationEnd, Step, StepContext } from './operation.ts';
import { fillFrom } from './restore-sources.ts';
import { exportNew } from './steps.ts';

/** Before anything of a restore that can fail: what the storage has already. Throws StorageMissing, StorageOffline. */
export const examineStorage: Step = {
  name: 'examine',
  run: async (context) => {
    const { volume, backend } = context;
    context.partly = (await labelsOf(backend.driver, volume))[restoreLabel] ?? '';
  },
};

/**
 * Other data in place of the volume's own. Its storage is labelled with their source from before the first byte until all of it is there,
 * then with the time at which the restore began: an older state of Redis can have a restore again that has ended, and what was written
 * since stays.
 */
export const restoreData: Step = {
  name: 'restore',
  isDone: async ({ volume, backend: { driver } }) => {
    const { [restoreLabel]: unfinished, [restoredLabel]: last } = await labelsOf(driver, volume);
    return unfinished === undefined && last !== undefined && Number(last) >= (volume.restoreTime ?? 0);
  },
  run: async (context) => {
    const { volume, backend, checkTask, signal } = context;
    const { driver, target } = backend;
    const { id, size, restoreFrom: source, restoreTime: restoredTime } = volume;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    if (!source) throw errors.changeLost(id, 'restore', volume.status);
    const spec = volumeSpec(volume);
    const begin = async (path: string) => {
      await checkTask();
      await target.removeExport(id); // of an unattached volume
      const users = await usersOfStorage(path);
      if (users.length > 0) throw errors.volumeBusy(id, users.join(', '));
      context.partly = writeSource(source); // also where the label is there although that call fails
      await driver.labelVolume(spec);
    };
    await withVolumeData(driver, spec, { access: 'write', signal }, (path) =>
      fillFrom(context, source, { path, sizeBytes: sizeInBytes(size) }, () => begin(path)),
    );
    await driver.labelVolume(volumeSpec({ ...volume, status: 'available', restoredTime }));
  },
};

/** Where unattached volumes are exported. */
export const exportRestored: Step = {
  name: 'export',
  run: (context) => exportNew.run({ ...context, volume: { ...context.volume, status: 'available' } }),
};

/** A volume with the data of an image is as one that was made from it: what was noted of its former image goes. */
export function recordRestored({ volume }: StepContext): OperationEnd {
  const { restoreTime = '', restoreFrom, imageMetadata } = volume;
  const restoredTime = { restoredTime: String(restoreTime) };
  if (restoreFrom?.kind !== 'image') return { set: restoredTime };
  return {
    set: { ...restoredTime, fromImage: restoreFrom.id, bootable: 'true' },
    unset: ['fromSnapshot', 'fromVolume', 'fromBackup', ...Object.keys(imageMetadata).map(imageMetadataField)],
  };
}

/**
 * Refuses storage that does not have the data of its volume, which an older state of Redis does not say. Throws StorageUnfinished where it
 * has other data in part, and StorageMissing where the volume has left it with a migration.
 */
export async function refuseOtherData({
  volume,
  backend: { driver },
}: Pick<StepContext, 'volume' | 'backend'>): Promise<void> {
  const { labels = {} } = (await driver.listVolumes()).find(({ id }) => id === volume.id) ?? {};
  const { [movedLabel]: place } = labels;
  // A migration goes on from there by itself.
  if (place !== undefined && volume.task?.kind !== 'migrate') throw errors.storageLeft(volume.id, place);
  if (labels[restoreLabel] !== undefined) throw errors.storageUnfinished(volume.id, unfinishedSource(labels));
}

async function labelsOf(driver: VolumeDriver, volume: VolumeState): Promise<Labels> {
  const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
  if (!found) throw errors.storageMissing(volume.id, driver.localPath(volumeSpec(volume)));
  if (found.unusable !== undefined) throw errors.storageOffline(volume.id, found.unusable);
  return found.labels;
}
