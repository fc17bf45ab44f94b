import { failBackup } from '../../../lib/backups/new-backup.ts';
import { restoreVolume } from '../../../lib/backups/restore-volume.ts';
import { storeVolume } from '../../../lib/backups/store-volume.ts';
import { withVolumeData } from '../../../lib/drivers/open-data.ts';
import { errors } from '../../../lib/errors.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { volumeSpec } from '../specs.ts';
import type { Step } from './operation.ts';

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
    const target = { sizeBytes: sizeInBytes(size), isBlank };
    await withVolumeData(driver, spec, { access: 'write', signal }, (path) =>
      restoreVolume(processes, store, fromBackup, { ...target, path }, { signal, progress }),
    );
    await driver.labelVolume(volumeSpec({ ...volume, isCopying: false }));
  },
};

export const storeBackup: Step = {
  name: 'backup',
  run: async ({ volume, backend: { driver }, backups: { store, processes }, signal, progress }) => {
    const { id, backup, size } = volume;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    const sizeBytes = sizeInBytes(size);
    await withVolumeData(driver, volumeSpec(volume), { access: 'read', signal }, (path) =>
      storeVolume(processes, store, backup, { path, sizeBytes }, { signal, progress }),
    );
  },
};

export const discardBackup: Step = {
  name: 'discard',
  run: ({ volume, backups: { store }, failure }) =>
    failBackup(store, volume.backup, failure ?? errors.changeLost(volume.id, 'backup', volume.status)),
};
