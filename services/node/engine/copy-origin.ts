import type { CreatedVolume } from '../../../lib/drivers/driver.ts';
import type { CopyOptions } from '../../../lib/drivers/snapshots.ts';
import { errors } from '../../../lib/errors.ts';
import { formatOf } from '../../../lib/images/fill.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { snapshotSpec, volumeSpec } from '../specs.ts';
import type { StepContext } from './operation.ts';

/** A new volume with the data of a snapshot, or of another volume. Throws SnapshotNotFound, VolumeNotFound, NotCapable, what a driver throws. */
export async function copyOrigin(
  { volume, snapshot, origin, backend: { driver } }: StepContext,
  options: CopyOptions,
): Promise<CreatedVolume> {
  const { fromSnapshot, fromVolume } = volume;
  if (fromSnapshot !== '' && !snapshot) throw errors.snapshotNotFound(fromSnapshot);
  if (!origin) throw errors.volumeNotFound(snapshot?.volume ?? fromVolume);
  const spec = volumeSpec(volume);
  if (snapshot) {
    if (!driver.snapshots) throw errors.notCapable(origin.id, driver.name, 'snapshots');
    return driver.snapshots.createFromSnapshot(spec, snapshotSpec(origin, snapshot), options);
  }
  if (!driver.cloneVolume) throw errors.notCapable(origin.id, driver.name, 'clones');
  return driver.cloneVolume(spec, volumeSpec(origin), options);
}

/**
 * A new volume that is a copy on write of its image; undefined where the image is not on the storage of the volume, or is not raw: its
 * data are copied then. Throws ImageNotFound, ImageNotActive, ImageRefused, ImageTooLarge, ImageServiceUnavailable, what a driver throws.
 */
export async function cloneImage(
  { volume, images, backend: { driver } }: StepContext,
  options: CopyOptions,
): Promise<CreatedVolume | undefined> {
  const clone = driver.snapshots?.cloneFrom?.bind(driver.snapshots);
  if (!clone || volume.fromImage === '') return undefined;
  const image = await images.store.show(volume.fromImage);
  if (formatOf(image) !== 'raw') return undefined;
  const [least = 0, most] = [image.sizeBytes, sizeInBytes(volume.size)];
  if (least > most) throw errors.imageTooLarge(image.id, least, most);
  for (const location of image.locations) {
    const made = await clone(volumeSpec(volume), location, options);
    if (made) return made;
  }
  return undefined;
}
