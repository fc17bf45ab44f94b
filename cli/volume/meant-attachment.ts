import { errors } from '../../lib/errors.ts';
import { type AttachmentState, isActive } from '../../lib/models/attachment-state.ts';
import {
  type AttachedVolume,
  allAttachments,
  attachmentName,
  attachmentsOfVolume,
  noAttachment,
  requireAll,
  userName,
} from '../../lib/models/attachment.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { LocalDevice } from './local-device.ts';

/** Returns the volume with each attachment by which a host may use it. */
export async function activeAttachments(store: Store, volume: VolumeState): Promise<AttachedVolume[]> {
  const all = await attachmentsOfVolume(store, volume);
  return all.filter(isActive).map((use) => usedBy(volume, use));
}

function usedBy(volume: VolumeState, use: AttachmentState): AttachedVolume {
  return { ...volume, use };
}

/**
 * Returns the volume with the attachment that it has on this host; of one that a single host can have, with that of whichever host; else
 * without one.
 */
export async function heldHere(store: Store, volume: VolumeState): Promise<AttachedVolume> {
  const active = await activeAttachments(store, volume);
  for (const one of active) if (await LocalDevice.isHere(one)) return one;
  const [only] = volume.isMultiattach ? [] : active;
  return only ?? { ...volume, use: noAttachment(volume, volume.isMultiattach ? '' : volume.attachments[0]) };
}

/**
 * Returns the volume with the attachment that a request to detach it means: that of the instance, or of this host, or the only one; with
 * `force` also one whose record is gone or cannot be read. Throws SeveralAttachments, VolumeReserved, VolumeNotAttached, RecordUnreadable,
 * AttachmentLost.
 */
export async function meantAttachment(
  store: Store,
  volume: VolumeState,
  { instance, force }: { instance: string | undefined; force: boolean },
): Promise<AttachedVolume> {
  const known = await allAttachments(store, volume);
  if (!force) await requireAll(store, volume, known);
  const all = known.states;
  const of = instance === undefined ? all : all.filter(({ instanceId }) => instanceId === instance);
  const active = of.filter(isActive).map((use) => usedBy(volume, use));
  const [only, second] = active;
  if (only && !second) return only;
  if (only) {
    const here: AttachedVolume[] = [];
    for (const one of active) if (await LocalDevice.isHere(one)) here.push(one);
    const [own, other] = here;
    if (own && !other) return own;
    throw errors.severalAttachments(
      volume.id,
      active.map(({ use }) => attachmentName(use)),
    );
  }
  const [reserved] = of;
  if (reserved) throw errors.volumeReserved(volume.id, userName(reserved), reserved.id);
  if (instance !== undefined) throw errors.notAttachedTo(volume.id, instance);
  return { ...volume, use: noAttachment(volume, known.missing[0]) };
}
