import { type Labels, differInLabels, labelOfOther } from '../../../lib/drivers/driver.ts';
import { asError, errors } from '../../../lib/errors.ts';
import { type VolumeAttachments, afterDetach, isAttachedBy, rightsFor } from '../../../lib/models/attachment.ts';
import { newChap } from '../../../lib/models/chap.ts';
import { type VolumeState, isFilled } from '../../../lib/models/volume-state.ts';
import { sizeInBytes, sizeOf } from '../../../lib/volume-size.ts';
import { exportSpec, isExported, volumeSpec } from '../specs.ts';
import { cloneImage, copyOrigin } from './copy-origin.ts';
import type { Step, StepContext } from './operation.ts';

/** Throws VolumeExists where storage with these labels is another volume's: its data is not for the users of this one. */
function refuseOther(volume: VolumeState, found: Labels): void {
  const { labels } = volumeSpec(volume);
  const name = labelOfOther(found, labels);
  if (name !== undefined) throw errors.otherStorage(volume.id, name, found[name] ?? '', labels[name] ?? '');
}

/** Of the pool, or of the target's own form; some targets need none. */
export const allocateAddress: Step = {
  name: 'address',
  run: async (context) => {
    const { volume, backend, addresses } = context;
    const { target } = backend;
    // They have it at that address; so has the host whose attachment Redis has lost, which makes it anew.
    if (volume.address !== '' && (volume.lender !== '' || isUsedByOthers(context))) return {};
    if (target.addressing === 'aoe') return { address: await addresses.allocate(volume), lender: '' };
    const address = target.addressOf?.(volume.id) ?? (await target.findAddress?.(volume.id));
    if (address === undefined) return {};
    addresses.pool.release(volume.id); // one of the pool, from a time when the backend had another target
    return { address };
  },
};

/**
 * A secret of the attachments that the volume has at once: who had it before cannot use it; or one of its hosts, for a target that has no
 * other. One that hosts have already is kept.
 */
export const issueSecret: Step = {
  name: 'secret',
  run: async ({ volume, backend: { target } }) => {
    if (target.authentication === 'none' || volume.chap) return {};
    const fresh = newChap();
    return { chap: (await target.shareChap?.(volume.id, volume.attachHosts, fresh)) ?? fresh };
  },
};

export const createStorage: Step = {
  name: 'storage',
  isDone: async ({ volume, backend: { driver } }) => {
    const spec = volumeSpec(volume);
    if (!(await driver.hasVolume(spec))) return false;
    const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
    return found !== undefined && !differInLabels(found.labels, spec.labels);
  },
  run: async (context) => {
    const { volume, backend, signal, progress } = context;
    const accept = (found: Labels) => refuseOther(volume, found);
    const options = { signal, accept, progress };
    const copied =
      volume.isCopying && !isFilled(volume) ? await copyOrigin(context, options) : await cloneImage(context, options);
    const { isNew, isBlank = false } = copied ?? (await backend.driver.createVolume(volumeSpec(volume), options));
    if (isNew) context.madeStorage = true;
    context.hasImage = isNew && copied !== undefined;
    context.isBlank = isBlank;
  },
};

/**
 * Before what a creation took is given back: storage that was there before may hold data, for Redis may have lost that the volume was
 * made, and have it made again. Throws StorageKept, VolumeExists.
 */
export const refuseToDiscardExisting: Step = {
  name: 'keep',
  run: async ({ volume, backend, madeStorage }) => {
    if (madeStorage) return;
    const found = (await backend.driver.listVolumes()).find(({ id }) => id === volume.id);
    // Nobody has used what still lacks data of its image or backup.
    if (!found || found.labels['image'] !== undefined || found.labels['backup'] !== undefined) return;
    refuseOther(volume, found.labels);
    if (found.sizeBytes >= sizeInBytes(volume.size)) throw errors.storageKept(volume.id);
  },
};

/** The export is as the record asks for: with the rights of the attachment, or none. Where its storage is gone there is none. */
export const adjustExport: Step = {
  name: 'export',
  run: async ({ volume, backend, exportUnattached }) => {
    if (!isExported(volume, exportUnattached)) return backend.target.removeExport(volume.id);
    try {
      // For the hosts that keep it: storage may be inactive since a reboot, or a migration whose end has failed.
      if (volume.attachStatus === 'attached') await backend.driver.ensureVolume(volumeSpec(volume));
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

/** The storage has the new size, and its labels say so. The record has it from then on, also where its export fails. */
export const extendStorage: Step = {
  name: 'storage',
  run: async ({ volume, backend: { driver } }) => {
    const { id, size, newSize = size } = volume;
    const grown = volumeSpec({ ...volume, size: newSize });
    await driver.ensureVolume(volumeSpec(volume));
    if (!driver.extendVolume) throw errors.notCapable(id, driver.name, 'extend');
    await driver.extendVolume(grown);
    await driver.labelVolume(grown);
    return { size: newSize };
  },
};

/** Storage that a failed extension has grown stays so, and its record says it: hosts refuse a device of another size. */
export const recordGrowth: Step = {
  name: 'size',
  run: async ({ volume: { id, size }, backend: { driver } }) => {
    const found = (await driver.listVolumes()).find((one) => one.id === id);
    const grown = found && sizeOf(found.sizeBytes);
    return grown !== undefined && grown > size ? { size: grown } : {};
  },
};

/** Hosts that have the volume see its new size when they look again. */
export const resizeExport: Step = {
  name: 'export',
  run: async ({ volume, backend, exportUnattached }) => {
    if (isExported(volume, exportUnattached)) await backend.target.resizeExport(exportSpec(volume, backend));
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
  run: async ({ volume, before, backend }) => {
    const spec = volumeSpec(volume);
    if (differInLabels(volumeSpec(before).labels, spec.labels)) await backend.driver.labelVolume(spec);
  },
};

/**
 * A host removes what it has at the recorded address before it asks to be attached; at another address it may still have a device of
 * an earlier volume, whose users would write into this one. Throws AddressChanged.
 */
export const refuseUncheckedAddress: Step = {
  name: 'address',
  run: async ({ volume, before, backend, attachments }) => {
    const isOfPool = backend.target.addressing === 'aoe';
    const own = attachments.states.find(({ id }) => id === volume.attachment);
    // A host without a machine id, or one of an earlier version, which does not say that it has looked.
    const isExamined = volume.task?.examined === true || (own?.hostId ?? '') !== '';
    if (isOfPool && isExamined && volume.address !== before.address) {
      throw errors.addressChanged(volume.id, before.address, volume.address);
    }
  },
};

/** The export of a volume that is to have the attachment no more that the task is about: with the rights of the others, or none. */
export const withdrawExport: Step = {
  name: 'export',
  run: (context) => {
    const { volume, backend, hasLeft } = context;
    if (hasLeft) return backend.target.removeExport(volume.id);
    const remaining = remainingAttachments(context);
    const attachStatus = isAttachedBy(volume, remaining) ? 'attached' : 'detached';
    return adjustExport.run({ ...context, volume: { ...volume, ...rightsFor(volume, remaining), attachStatus } });
  },
};

/** Those that the volume has after the task: without the one that it is about, unless that is kept. */
export function remainingAttachments({
  volume,
  attachments,
}: Pick<StepContext, 'volume' | 'attachments'>): VolumeAttachments {
  return afterDetach(attachments, volume.attachment);
}

/** Whether other hosts have the volume beside the one that the task is about. */
export function isUsedByOthers(context: Pick<StepContext, 'volume' | 'attachments'>): boolean {
  return isAttachedBy(context.volume, remainingAttachments(context));
}

/** An address that another node lends, or that belongs to another one meanwhile, is kept only as long as hosts use it. */
export const leaveForeignAddress: Step = {
  name: 'address',
  run: async (context) => {
    const { volume, backend, addresses, hasLeft } = context;
    if (hasLeft || isUsedByOthers(context)) return {};
    if (volume.lender === '' && (await addresses.isOwn(volume.address))) return {};
    await backend.target.removeExport(volume.id); // of unattached volumes: the next report exports it at an address of its own
    addresses.pool.release(volume.id);
    try {
      await backend.driver.labelVolume(volumeSpec({ ...volume, address: '', lender: '' }));
    } catch (error) {
      if (asError(error).code !== 'StorageMissing') throw error; // a volume in error can be detached
    }
    return { address: '', lender: '' };
  },
};

/**
 * An older state of Redis can have a deletion again that has ended: what a later volume of the same id has is not removed with it. Not
 * asked of a new deletion: that is of the later volume. Throws VolumeExists.
 */
export const refuseLaterStorage: Step = {
  name: 'keep',
  run: async ({ volume, backend, isResumed }) => {
    if (!isResumed) return;
    const found = (await backend.driver.listVolumes()).find(({ id }) => id === volume.id);
    if (Number(found?.labels['created'] ?? 0) > volume.createTime) throw errors.laterStorage(volume.id);
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
  run: async ({ volume, backend, checkLease, signal }) => {
    await checkLease();
    await backend.driver.deleteVolume(volumeSpec(volume), { signal, unused: !volume.isCopying });
  },
};

export const removeStorage: Step = {
  name: 'remove',
  run: async ({ volume, backend, checkTask, signal, progress }) => {
    await checkTask();
    await backend.driver.deleteVolume(volumeSpec(volume), { signal, progress });
  },
};
