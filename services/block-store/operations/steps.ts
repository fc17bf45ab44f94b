import { exportSpec, volumeSpec } from '../backend.ts';
import type { Step } from './operation.ts';

export const makeStorage: Step = {
  name: 'storage',
  isDone: ({ volume, backend }) => backend.driver.hasVolume(volumeSpec(volume)),
  run: ({ volume, backend, signal }) => backend.driver.createVolume(volumeSpec(volume), signal),
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
      await backend.target.ensureExport({ ...exportSpec(volume, backend), readOnly: false, macs: [] });
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

/** What is left of a volume that did not come to be: nobody ever wrote to it. */
export const discardStorage: Step = {
  name: 'discard',
  run: ({ volume, backend, signal }) => backend.driver.deleteVolume(volumeSpec(volume), { signal, unused: true }),
};

export const removeStorage: Step = {
  name: 'remove',
  run: ({ volume, backend, signal, progress }) => backend.driver.deleteVolume(volumeSpec(volume), { signal, progress }),
};
