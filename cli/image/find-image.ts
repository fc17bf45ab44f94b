import { errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { formatOf } from '../../lib/images/fill.ts';
import type { Image } from '../../lib/images/image.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { ImageStore } from '../../lib/images/store.ts';
import { isId } from '../../lib/models/id.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';

/** Throws ImageNotFound, ImageAmbiguous, ImageServiceUnavailable. */
export async function findImage(store: ImageStore, place: string, reference: string): Promise<Image> {
  if (isId(reference)) return store.show(reference);
  const [image, other] = await store.named(reference);
  if (image === undefined) throw errors.imageNotFound(reference, place);
  if (other) throw errors.imageAmbiguous(reference, place, [image.id, other.id]);
  return image;
}

export function imagePlace({ image_url: url, image_directory: directory }: Flags): string {
  return url === '' ? directory : url;
}

/**
 * Returns the id of an image that a volume of that size, or the volume with that id, can be filled from. Throws what findImage() throws,
 * ImageNotActive, ImageRefused, SizeTooSmall.
 */
export async function imageFor(
  flags: Flags,
  reference: string,
  { id: volume, size }: Pick<VolumeState, 'size'> & Partial<Pick<VolumeState, 'id'>>,
): Promise<string> {
  const image = await findImage(openImageStore(flags), imagePlace(flags), reference);
  formatOf(image);
  if (size < image.minDisk) {
    throw volume === undefined
      ? errors.sizeTooSmall(`image ${image.id}`, image.minDisk, size)
      : errors.volumeTooSmall(`image ${image.id}`, image.minDisk, volume, size);
  }
  return image.id;
}
