import type { Labels, VolumeDriver } from '../../../lib/drivers/driver.ts';
import { failBackup } from '../../../lib/backups/new-backup.ts';
import { restoreVolume } from '../../../lib/backups/restore-volume.ts';
import { storeVolume } from '../../../lib/backups/store-volume.ts';
import { usersOfStorage } from '../../../lib/devices/storage-users.ts';
import { errors } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { restoreLabel, restoredLabel, volumeSpec } from '../specs.ts';
import type { Step, StepContext } from './operation.ts';
import { exportNew } from './steps.ts';

/** The data of a new volume: its storage is labelled with the backup until all of it is there, as with an image. */
export const copyFromBackup: Step = {
  name: 'backup',
  isDone: async ({ volume, backend: { driver } }) => {
    if (!volume.isCopying || volume.fromBackup === '') return true;
    const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
    return found !== undefined && found.labels['backup'] === undefined;
  },
  run: async ({ volume, backend: { driver }, backups: { store, processes }, isBlank, signal, progress }) => {
    const { id, fromBackup, isCopying, size } = volume;
    if (!isCopying || fromBackup === '') return;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    const spec = volumeSpec(volume);
    await driver.ensureVolume(spec);
    const target = { path: driver.localPath(spec), sizeBytes: sizeInBytes(size), isBlank };
    await restoreVolume(processes, store, fromBackup, target, { signal, progress });
    await driver.labelVolume(volumeSpec({ ...volume, isCopying: false }));
  },
};

export const storeBackup: Step = {
  name: 'backup',
  run: async ({ volume, backend: { driver }, backups: { store, processes }, signal, progress }) => {
    const { id, backup, size } = volume;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    const storage = { path: driver.localPath(volumeSpec(volume)), sizeBytes: sizeInBytes(size) };
    await storeVolume(processes, store, backup, storage, { signal, progress });
  },
};

/** Before anything of a restore that can fail: what the storage has already. Throws StorageMissing, StorageOffline. */
export const examineStorage: Step = {
  name: 'examine',
  run: async (context) => {
    const { volume, backend } = context;
    context.partly = (await labelsOf(backend.driver, volume))[restoreLabel] ?? '';
  },
};

/**
 * The data of a backup in place of the volume's own. Its storage is labelled with the backup from before the first byte until all of it is
 * there, then with the time at which the restore began: an older state of Redis can have a restore again that has ended, and what was
 * written since stays.
 */
export const restoreBackup: Step = {
  name: 'restore',
  isDone: async ({ volume, backend: { driver } }) => {
    const { [restoreLabel]: unfinished, [restoredLabel]: last } = await labelsOf(driver, volume);
    return unfinished === undefined && last !== undefined && Number(last) >= (volume.restoreTime ?? 0);
  },
  run: async (context) => {
    const { volume, backend, backups, checkTask, signal, progress } = context;
    const { driver, target } = backend;
    const { id, backup, size, restoreTime: restoredTime } = volume;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    const spec = volumeSpec(volume);
    const path = driver.localPath(spec);
    const { status, size: least } = await backups.store.show(backup);
    if (status !== 'available') throw errors.backupNotReady(backup);
    if (size < least) throw errors.sizeTooSmall(`backup ${backup}`, least, size);
    await checkTask();
    await target.removeExport(id); // of an unattached volume
    const users = await usersOfStorage(path);
    if (users.length > 0) throw errors.volumeBusy(id, users.join(', '));
    context.partly = backup; // also where the label is there although that call fails
    await driver.labelVolume(spec);
    const storage = { path, sizeBytes: sizeInBytes(size), isBlank: false };
    await restoreVolume(backups.processes, backups.store, backup, storage, { signal, progress });
    await driver.labelVolume(volumeSpec({ ...volume, status: 'available', restoredTime }));
  },
};

/** Where unattached volumes are exported. */
export const exportRestored: Step = {
  name: 'export',
  run: (context) => exportNew.run({ ...context, volume: { ...context.volume, status: 'available' } }),
};

/** Throws StorageUnfinished where the storage has the data of a backup in part, which an older state of Redis does not say. */
export async function refuseUnfinished({
  volume,
  backend: { driver },
}: Pick<StepContext, 'volume' | 'backend'>): Promise<void> {
  if (!driver.capabilities.images) return;
  const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
  const backup = found?.labels[restoreLabel];
  if (backup !== undefined) throw errors.storageUnfinished(volume.id, backup);
}

async function labelsOf(driver: VolumeDriver, volume: VolumeState): Promise<Labels> {
  const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
  if (!found) throw errors.storageMissing(volume.id, driver.localPath(volumeSpec(volume)));
  if (found.unusable !== undefined) throw errors.storageOffline(volume.id, found.unusable);
  return found.labels;
}

export const discardBackup: Step = {
  name: 'discard',
  run: ({ volume, backups: { store }, failure }) =>
    failBackup(store, volume.backup, failure ?? errors.changeLost(volume.id, 'backup', volume.status)),
};
