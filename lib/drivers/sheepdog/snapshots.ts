import { errors } from '../../errors.ts';
import type { CreatedVolume, DeleteOptions, VolumeSpec } from '../driver.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import { type Images, currentOf, snapshotOf } from './images.ts';
import { encodeLabels, imageName, labelKey, snapshotIdsOf, snapshotKey, snapshotTag } from './names.ts';
import type { VolumeMaker } from './volume-maker.ts';

/** Snapshots `snap-<id>` of the images of volumes. They outlive the volume; their labels, which its image has, do not. */
export class SheepdogSnapshots implements Snapshots {
  private readonly images: Images;
  private readonly maker: VolumeMaker;

  constructor(images: Images, maker: VolumeMaker) {
    this.images = images;
    this.maker = maker;
  }

  async createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const [name, tag] = [imageName(snapshot.volume), snapshotTag(snapshot)];
    encodeLabels(snapshot.id, snapshot.labels); // throws before anything is created
    await this.images.alone([name], async () => {
      const images = await this.images.list();
      if (!currentOf(images, name)) {
        if (snapshotOf(images, name, tag)) return;
        throw errors.storageMissing(snapshot.volume.id, `sheepdog:${name}`);
      }
      if (!(await this.images.labels(name, labelKey, snapshot.volume.id))) {
        const { id, labels } = snapshot.volume;
        throw errors.storageMissing(id, `sheepdog:${name}`, this.images.labelLine(name, labelKey, id, labels));
      }
      if (!snapshotOf(images, name, tag)) await this.images.snapshot(name, tag);
      await this.images.setLabels(name, snapshotKey(snapshot), snapshot.id, snapshot.labels);
    });
  }

  hasSnapshot(snapshot: SnapshotSpec): Promise<boolean> {
    const name = imageName(snapshot.volume);
    return this.images.alone([name], async () => {
      const images = await this.images.list();
      if (!snapshotOf(images, name, snapshotTag(snapshot))) return false;
      return !currentOf(images, name) || (await this.labelsOf(snapshot)) !== undefined;
    });
  }

  async labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const [name, tag] = [imageName(snapshot.volume), snapshotTag(snapshot)];
    encodeLabels(snapshot.id, snapshot.labels); // throws before anything is changed
    await this.images.alone([name], async () => {
      const images = await this.images.list();
      // Labels are in the image of the volume: without that there is nothing to label.
      if (!snapshotOf(images, name, tag) || !currentOf(images, name)) {
        throw errors.snapshotMissing(snapshot.id, `sheepdog:${name}:${tag}`);
      }
      await this.images.setLabels(name, snapshotKey(snapshot), snapshot.id, snapshot.labels);
    });
  }

  async deleteSnapshot(snapshot: SnapshotSpec, { signal }: DeleteOptions = {}): Promise<void> {
    const [name, tag] = [imageName(snapshot.volume), snapshotTag(snapshot)];
    await this.images.alone([name], async () => {
      signal?.throwIfAborted();
      if (snapshotOf(await this.images.list(), name, tag)) await this.images.removeSnapshot(name, tag);
      if (await this.labelsOf(snapshot)) await this.images.removeLabels(name, snapshotKey(snapshot));
    });
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const found = (await this.images.list()).map(async (image) => {
      const ids = snapshotIdsOf(image);
      if (!ids) return [];
      const { id, volumeId } = ids;
      const labels = await this.images.alone([image.name], () => this.labelsOf({ id, volume: { id: volumeId } }));
      return [{ id, volumeId, sizeBytes: image.sizeBytes, labels: labels ?? {} }];
    });
    return (await Promise.all(found)).flat();
  }

  createFromSnapshot(volume: VolumeSpec, snapshot: SnapshotSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    const [from, to, tag] = [imageName(snapshot.volume), imageName(volume), snapshotTag(snapshot)];
    return this.images.alone([from, to], () =>
      this.maker.make(volume, options, async () => {
        if (!snapshotOf(await this.images.list(), from, tag)) {
          throw errors.snapshotMissing(snapshot.id, `sheepdog:${from}:${tag}`);
        }
        await this.maker.copy(from, tag, volume);
      }),
    );
  }

  private labelsOf({ id, volume }: { id: string; volume: Pick<VolumeSpec, 'id'> }) {
    return this.images.labels(imageName(volume), snapshotKey({ id }), id);
  }
}
