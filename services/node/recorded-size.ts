import type { FoundVolume, VolumeDriver } from '../../lib/drivers/driver.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { sizeOf } from '../../lib/volume-size.ts';
import { volumeSpec } from './specs.ts';

/**
 * Storage of a volume that is larger than its record: Redis has lost that it was extended, or somebody has extended it by hand. Hosts
 * refuse a device of another size: `record` writes it into the record. Returns the record then.
 */
export async function withSizeOf(
  volume: VolumeState,
  found: FoundVolume | undefined,
  driver: VolumeDriver,
  record: (set: { size: string }) => Promise<void>,
): Promise<VolumeState> {
  const size = found && sizeOf(found.sizeBytes);
  if (size === undefined || size <= volume.size) return volume;
  await record({ size: String(size) });
  const grown = { ...volume, size };
  const labels = driver.readLabels ? await driver.readLabels(volume.id) : found?.labels;
  // The others stay: the key of the storage among them, which Redis may have lost as well.
  if (labels && labels['size'] !== String(size)) {
    await driver.labelVolume({ ...volumeSpec(grown), labels: { ...labels, size: String(size) } });
  }
  return grown;
}
