import { isDeepStrictEqual } from 'node:util';
import { errors } from '../../errors.ts';
import { type Capabilities, noCapabilities } from '../capabilities.ts';
import type {
  CreateOptions,
  CreatedVolume,
  DeleteOptions,
  DriverContext,
  DriverStats,
  FoundVolume,
  Labels,
  VolumeDriver,
  VolumeSpec,
} from '../driver.ts';
import { sheepdogAddress } from '../../sheepdog/address.ts';
import type { CopyOptions } from '../snapshots.ts';
import type { Image } from './answers.ts';
import { Capacity } from './capacity.ts';
import { Dog, type DogOptions } from './dog.ts';
import { Images, currentOf } from './images.ts';
import { cloneTag, imageName, labelKey, volumeIdOf } from './names.ts';
import { SheepdogSnapshots } from './snapshots.ts';
import { VolumeMaker } from './volume-maker.ts';

export interface SheepdogOptions extends DogOptions {
  /** Copies that the cluster keeps of each object. */
  copies: number;
}

/** Stores volumes as images (VDIs) `volume-<id>` of a Sheepdog cluster, which every node with a daemon of it reaches. */
export class SheepdogDriver implements VolumeDriver {
  readonly name = 'sheepdog';
  readonly pool = 'sheepdog';
  readonly snapshots: SheepdogSnapshots;
  private readonly dog: Dog;
  private readonly images: Images;
  private readonly capacity: Capacity;
  private readonly maker: VolumeMaker;
  /** When the cluster was formatted, by which nodes recognise it; empty before the setup. */
  private created = '';

  constructor(options: SheepdogOptions, { processes }: Pick<DriverContext, 'processes'>) {
    this.dog = new Dog(options, processes);
    this.images = new Images(this.dog);
    this.capacity = new Capacity(this.dog, options.copies);
    this.maker = new VolumeMaker(this.images, this.capacity);
    this.snapshots = new SheepdogSnapshots(this.images, this.maker);
  }

  get capabilities(): Capabilities {
    const shared = this.created === '' ? '' : `sheepdog:${this.created}`;
    return { ...noCapabilities, snapshots: true, clones: true, extend: true, thin: true, shared };
  }

  async setup(): Promise<void> {
    this.created = (await this.dog.find()).created;
    await this.dog.images();
  }

  createVolume(volume: VolumeSpec, options: CreateOptions = {}): Promise<CreatedVolume> {
    const name = imageName(volume);
    return this.images.alone([name], () =>
      this.maker.make(volume, options, () => this.images.create(name, volume.sizeBytes)),
    );
  }

  cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    const [from, to, tag] = [imageName(source), imageName(volume), cloneTag(volume)];
    return this.images.alone([from, to], () =>
      this.maker.make(volume, options, async () => {
        await this.existing(source);
        await this.images.removeSnapshot(from, tag); // of an attempt at an earlier moment
        await this.images.snapshot(from, tag);
        await this.maker.copy(from, tag, volume);
        await this.images.removeSnapshot(from, tag);
      }),
    );
  }

  hasVolume(volume: VolumeSpec): Promise<boolean> {
    return this.images.alone([imageName(volume)], async () => {
      const found = currentOf(await this.images.list(), imageName(volume));
      if (found === undefined || found.sizeBytes < volume.sizeBytes) return false;
      const labels = await this.labelsOf(volume);
      return labels !== undefined && isDeepStrictEqual(labels, volume.labels);
    });
  }

  /** There is nothing to activate. */
  async ensureVolume(volume: VolumeSpec): Promise<void> {
    await this.images.alone([imageName(volume)], () => this.existing(volume));
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.images.alone([imageName(volume)], async () => {
      await this.existing(volume);
      await this.images.setLabels(imageName(volume), labelKey, volume.id, volume.labels);
    });
  }

  relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    return this.images.alone([imageName(volume)], async () => {
      const found = currentOf(await this.images.list(), imageName(volume));
      return found && !(await this.labelsOf(volume)) ? this.relabelling(volume) : undefined;
    });
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    await this.images.alone([imageName(volume)], async () => {
      const { sizeBytes } = await this.existing(volume);
      await this.maker.grow(volume, sizeBytes);
    });
  }

  /** Needs no wipe: what an image has not written reads as zeros. Its snapshots, and images that are made from it, keep its data. */
  async deleteVolume(volume: VolumeSpec, { signal }: DeleteOptions = {}): Promise<void> {
    const name = imageName(volume);
    const left = (await this.images.list()).filter(({ kind, tag }) => kind === 'snapshot' && tag === cloneTag(volume));
    await this.images.alone([name, ...left.map((image) => image.name)], async () => {
      signal?.throwIfAborted();
      for (const image of left) await this.images.removeSnapshot(image.name, image.tag);
      const images = await this.images.list();
      const found = currentOf(images, name);
      if (!found) return;
      if (!(await this.labelsOf(volume)) && !VolumeMaker.isUnfinished(found, images)) {
        const words = `the Sheepdog image ${name} has data and no label of blockstore; if it is this volume`;
        throw errors.volumeBusy(volume.id, `${words}, label it: ${this.relabelling(volume)}`);
      }
      await this.images.remove(name);
    });
  }

  localPath(volume: Pick<VolumeSpec, 'id'>): string {
    return sheepdogAddress(imageName(volume));
  }

  /** An image of that name without labels is somebody else's. */
  async listVolumes(): Promise<FoundVolume[]> {
    const found = (await this.images.list()).map(async (image) => {
      const id = volumeIdOf(image);
      if (id === undefined) return [];
      const labels = await this.images.alone([image.name], () => this.labelsOf({ id }));
      return labels === undefined ? [] : [{ id, sizeBytes: image.sizeBytes, labels }];
    });
    return (await Promise.all(found)).flat();
  }

  stats(): Promise<DriverStats> {
    return this.capacity.stats();
  }

  async close(): Promise<void> {}

  /** Throws StorageMissing where there is no image, or one that somebody else made. */
  private async existing(volume: VolumeSpec): Promise<Image> {
    const found = currentOf(await this.images.list(), imageName(volume));
    if (!found) throw errors.storageMissing(volume.id, this.localPath(volume));
    if (await this.labelsOf(volume)) return found;
    throw errors.storageMissing(volume.id, this.localPath(volume), this.relabelling(volume));
  }

  private relabelling(volume: VolumeSpec): string {
    return this.images.labelLine(imageName(volume), labelKey, volume.id, volume.labels);
  }

  private labelsOf({ id }: Pick<VolumeSpec, 'id'>): Promise<Labels | undefined> {
    return this.images.labels(imageName({ id }), labelKey, id);
  }
}
