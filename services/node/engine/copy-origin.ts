import type { CreatedVolume } from '../../../lib/drivers/driver.ts';
import type { CopyOptions } from '../../../lib/drivers/snapshots.ts';
import { errors } from '../../../lib/errors.ts';
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
