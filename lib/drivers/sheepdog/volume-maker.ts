import { errors } from '../../errors.ts';
import type { CreateOptions, CreatedVolume, VolumeSpec } from '../driver.ts';
import type { Image } from './answers.ts';
import type { Capacity } from './capacity.ts';
import { type Images, currentOf } from './images.ts';
import { encodeLabels, imageName, labelKey } from './names.ts';

/** The largest image of the usual kind, with objects of 4 MiB. */
const largestBytes = 4 * 2 ** 40;

/** Makes the images of volumes. The labels come last: an image without them is not finished, and is made anew. */
export class VolumeMaker {
  private readonly images: Images;
  private readonly capacity: Capacity;

  constructor(images: Images, capacity: Capacity) {
    this.images = images;
    this.capacity = capacity;
  }

  /** An image without labels that an earlier call can have left: nobody has written to it, and it has no snapshots. */
  static isUnfinished(found: Image, images: readonly Image[]): boolean {
    const hasSnapshots = images.some(({ kind, name }) => kind === 'snapshot' && name === found.name);
    return found.usedBytes === 0 && !hasSnapshots && (found.kind === 'clone' || found.sharedBytes === 0);
  }

  /** `make` creates the image with the size of the volume. The caller works on the image alone. */
  async make(volume: VolumeSpec, { signal, accept }: CreateOptions, make: () => Promise<void>): Promise<CreatedVolume> {
    const name = imageName(volume);
    encodeLabels(volume.id, volume.labels); // throws before anything is created
    checkSize(volume);
    const images = await this.images.list();
    const found = currentOf(images, name);
    const labels = found && (await this.images.labels(name, labelKey, volume.id));
    if (found && labels) {
      accept?.(labels);
      if (found.sizeBytes < volume.sizeBytes) throw errors.volumeExists(volume.id);
      await this.images.setLabels(name, labelKey, volume.id, volume.labels);
      return { fields: {}, isNew: false };
    }
    signal?.throwIfAborted();
    if (found) await this.discard(volume, found, images);
    await this.capacity.take(volume.sizeBytes, make);
    signal?.throwIfAborted();
    await this.images.setLabels(name, labelKey, volume.id, volume.labels);
    return { fields: {}, isNew: true };
  }

  /** Makes the image of the volume from a snapshot, which can be smaller. */
  async copy(from: string, tag: string, volume: VolumeSpec): Promise<void> {
    const name = imageName(volume);
    const sizeBytes = await this.images.clone(from, tag, name);
    if (sizeBytes < volume.sizeBytes) await this.images.grow(name, volume.sizeBytes);
  }

  /** Throws NoSpace. Sheepdog does not shrink images. */
  async grow(volume: VolumeSpec, sizeBytes: number): Promise<void> {
    checkSize(volume);
    const missingBytes = volume.sizeBytes - sizeBytes;
    if (missingBytes <= 0) return;
    await this.capacity.take(missingBytes, () => this.images.grow(imageName(volume), volume.sizeBytes));
  }

  private async discard(volume: VolumeSpec, found: Image, images: readonly Image[]): Promise<void> {
    const { name } = found;
    if (VolumeMaker.isUnfinished(found, images)) return this.images.remove(name);
    throw errors.notLabelled(volume.id, `sheepdog:${name}`, this.images.renameLine(name, `${name}.other`));
  }
}

/** Throws InvalidArgument. */
function checkSize({ sizeBytes }: VolumeSpec): void {
  if (sizeBytes > largestBytes) throw errors.invalidArgument('size', sizeBytes, 'at most 4 TiB, the limit of Sheepdog');
}
