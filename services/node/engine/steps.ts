import { errors } from '../../../lib/errors.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { exportSpec, isExported, volumeSpec } from '../specs.ts';
import type { Step } from './operation.ts';

/** A target of a pool has the volume found at an address; the others need none. */
export const allocateAddress: Step = {
  name: 'address',
  run: async ({ volume, backend, addresses }) =>
    backend.target.addressing === 'none' ? {} : { address: await addresses.allocate(volume) },
};

export const createStorage: Step = {
  name: 'storage',
  isDone: ({ volume, backend }) => backend.driver.hasVolume(volumeSpec(volume)),
  run: async (context) => {
    const { volume, backend, signal } = context;
    const { isNew } = await backend.driver.createVolume(volumeSpec(volume), signal);
    if (isNew) context.madeStorage = true;
  },
};

/**
 * Before what a creation took is given back: storage that was there before may hold data, for Redis may have lost that the volume was
 * made, and have it made again. Throws StorageKept.
 */
export const refuseToDiscardExisting: Step = {
  name: 'keep',
  run: async ({ volume, backend, madeStorage }) => {
    if (madeStorage) return;
    const found = (await backend.driver.listVolumes()).find(({ id }) => id === volume.id);
    if (found && found.sizeBytes >= sizeInBytes(volume.size)) throw errors.storageKept(volume.id);
  },
};

/** The export is as the record asks for: with the rights of the attachment, or none. Where its storage is gone there is none. */
export const adjustExport: Step = {
  name: 'export',
  run: async ({ volume, backend, exportUnattached }) => {
    if (!isExported(volume, exportUnattached)) return backend.target.removeExport(volume.id);
    try {
      await backend.target.ensureExport(exportSpec(volume, backend));
    } catch (error) {
      if (volume.attachStatus === 'attaching' || (await backend.driver.hasVolume(volumeSpec(volume)))) throw error;
      await backend.target.removeExport(volume.id);
    }
  },
};

/**
 * A new volume is exported only where unattached ones are. An export that runs already is left: Redis may have lost that the volume was
 * made and attached, which an examination then finds.
 */
export const exportNew: Step = {
  name: 'export',
  run: async ({ volume, backend, exportUnattached }) => {
    if (isExported(volume, exportUnattached)) await backend.target.ensureExport(exportSpec(volume, backend));
  },
};

/** Before an export starts: storage may be inactive after a reboot. Throws StorageMissing. */
export const activateStorage: Step = {
  name: 'activate',
  run: ({ volume, backend }) => backend.driver.ensureVolume(volumeSpec(volume)),
};

/** The labels of storage that is there have the volume's address: it may be another one since the last time. */
export const labelStorage: Step = {
  name: 'label',
  run: async ({ volume, hadAddress, backend }) => {
    if (volume.address !== hadAddress) await backend.driver.labelVolume(volumeSpec(volume));
  },
};

/**
 * A host removes what it has at the recorded address before it asks to be attached; at another address it may still have a device of
 * an earlier volume, whose users would write into this one. Throws AddressChanged.
 */
export const refuseUncheckedAddress: Step = {
  name: 'address',
  run: async ({ volume, hadAddress }) => {
    if (volume.hostId !== '' && volume.address !== hadAddress) {
      throw errors.addressChanged(volume.id, hadAddress, volume.address);
    }
  },
};

/** The export of a volume that is to have no attachment. */
export const withdrawExport: Step = {
  name: 'export',
  run: (context) => adjustExport.run({ ...context, volume: { ...context.volume, attachStatus: 'detached' } }),
};

/** An address on a shelf that another node has meanwhile is kept only as long as hosts use it. */
export const leaveForeignShelf: Step = {
  name: 'address',
  run: async ({ volume, backend, addresses }) => {
    if (await addresses.isOwn(volume.address)) return {};
    addresses.pool.release(volume.id);
    const spec = volumeSpec({ ...volume, address: '' });
    if (await backend.driver.hasVolume(spec)) await backend.driver.labelVolume(spec);
    return { address: '' };
  },
};

export const removeExport: Step = {
  name: 'unexport',
  run: ({ volume, backend }) => backend.target.removeExport(volume.id),
};

/** The address of a volume that was not created after all rests like that of a deleted one. */
export const releaseAddress: Step = {
  name: 'release',
  run: async ({ volume, addresses }) => addresses.pool.release(volume.id),
};

/** What is left of a volume that was not created after all. */
export const discardStorage: Step = {
  name: 'discard',
  run: ({ volume, backend, signal }) => backend.driver.deleteVolume(volumeSpec(volume), { signal, unused: true }),
};

export const removeStorage: Step = {
  name: 'remove',
  run: async ({ volume, backend, checkTask, signal, progress }) => {
    await checkTask();
    const neverMade = volume.task?.neverMade === true;
    await backend.driver.deleteVolume(volumeSpec(volume), { signal, progress, neverMade });
  },
};
