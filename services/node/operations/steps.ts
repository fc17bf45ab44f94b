import { sizeInBytes } from '../../../lib/drivers/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { exportSpec, volumeSpec } from '../backend.ts';
import type { Step } from './operation.ts';

export const makeStorage: Step = {
  name: 'storage',
  isDone: ({ volume, backend }) => backend.driver.hasVolume(volumeSpec(volume)),
  run: async (context) => {
    const { volume, backend, signal } = context;
    const { fields, isNew } = await backend.driver.createVolume(volumeSpec(volume), signal);
    if (isNew) context.madeStorage = true;
    return fields;
  },
};

/**
 * Before what a creation took is given back: storage that was there before may hold data, for Redis may have lost that the volume was
 * made, and have it made again. Throws StorageKept.
 */
export const spareStorage: Step = {
  name: 'spare',
  run: async ({ volume, backend, madeStorage }) => {
    if (madeStorage) return;
    const found = (await backend.driver.listVolumes()).find(({ id }) => id === volume.id);
    if (found && found.sizeBytes >= sizeInBytes(volume.size)) throw errors.storageKept(volume.id);
  },
};

export const exportVolume: Step = {
  name: 'export',
  run: ({ volume, backend }) => backend.target.ensureExport(exportSpec(volume, backend)),
};

/** As it is while nobody has the volume attached. Where its storage is gone there is nothing left to export. */
export const exportUnattached: Step = {
  name: 'export',
  run: async ({ volume, backend }) => {
    try {
      await backend.target.ensureExport({ ...exportSpec(volume, backend), readOnly: false, hosts: [] });
    } catch (error) {
      if (await backend.driver.hasVolume(volumeSpec(volume))) throw error;
      await backend.target.removeExport(volume.id);
    }
  },
};

export const removeExport: Step = {
  name: 'unexport',
  run: ({ volume, backend }) => backend.target.removeExport(volume.id),
};

/** What is left of a volume that did not come to be. */
export const discardStorage: Step = {
  name: 'discard',
  run: ({ volume, backend, signal }) => backend.driver.deleteVolume(volumeSpec(volume), { signal, unused: true }),
};

export const removeStorage: Step = {
  name: 'remove',
  run: ({ volume, backend, signal, progress }) => backend.driver.deleteVolume(volumeSpec(volume), { signal, progress }),
};
