import type { VolumeState } from '../../lib/models/volume-state.ts';

/** Returns what is noted of the image of a volume; `image_id` is that of the image that the volume was made from. */
export function imageMetadataOf({
  fromImage,
  imageMetadata,
}: Pick<VolumeState, 'fromImage' | 'imageMetadata'>): Readonly<Record<string, string>> {
  return { ...imageMetadata, ...(fromImage === '' ? {} : { image_id: fromImage }) };
}
