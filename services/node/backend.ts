import { type Labels, type VolumeDriver, type VolumeSpec, sizeInBytes } from '../../lib/drivers/driver.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { ExportSpec, Target } from '../../lib/targets/target.ts';

/** Where volumes of a node are kept and how they are exported. Its name is in their records. */
export interface Backend {
  name: string;
  driver: VolumeDriver;
  target: Target;
}

/** A record as a driver sees it. */
export function volumeSpec(volume: VolumeState): VolumeSpec {
  const { id, size, userId, projectId, shelfId, bladeId } = volume;
  return {
    id,
    size,
    sizeBytes: sizeInBytes(size),
    labels: {
      user: userId,
      project: projectId,
      size: String(size),
      ...(shelfId === undefined ? {} : { shelf: String(shelfId) }),
      ...(bladeId === undefined ? {} : { blade: String(bladeId) }),
    },
  };
}

export interface LabelledFields {
  size: number | undefined;
  userId: string | undefined;
  projectId: string | undefined;
  shelfId: number | undefined;
  bladeId: number | undefined;
}

/** The reverse: the fields of a record that its labels keep. A number that is none counts as absent. */
export function fieldsIn(labels: Labels): LabelledFields {
  const whole = (text: string | undefined) => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : undefined);
  return {
    size: whole(labels['size']),
    userId: labels['user'],
    projectId: labels['project'],
    shelfId: whole(labels['shelf']),
    bladeId: whole(labels['blade']),
  };
}

/** A record as a target sees it: with the attachment's rights while it has one. */
export function exportSpec(volume: VolumeState, backend: Backend): ExportSpec {
  const { aoeDevice: address } = volume;
  if (address === '') throw new BlockstoreError('Internal', 'failed', `volume ${volume.id} has no address`);
  const path = backend.driver.localPath(volumeSpec(volume));
  const attached = volume.attachStatus === 'attaching' || volume.attachStatus === 'attached';
  return {
    id: volume.id,
    path,
    address,
    readOnly: attached && volume.attachMode === 'ro',
    hosts: attached ? volume.attachMacs : [],
  };
}
