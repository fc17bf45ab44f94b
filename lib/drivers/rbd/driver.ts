import { type BlockstoreError, errors } from '../../errors.ts';
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
import type { OpenData, OpenOptions } from '../open-data.ts';
import type { CopyOptions } from '../snapshots.ts';
import { Catalogue, readMetadata } from './catalogue.ts';
import { rbdAddress } from '../../rbd/address.ts';
import { RbdCommands, type TimeLimits } from '../../rbd/commands.ts';
import { adopt, cloneOf, complete, label, makeEmpty, resize } from './creation.ts';
import type { Cluster } from '../../rbd/failures.ts';
import { imageInfo, listImages } from './images.ts';
import { labelArguments, labelsIn, sameLabels } from './labels.ts';
import { Leftovers } from './leftovers.ts';
import type { Monitors } from '../../rbd/monitors.ts';
import { imageName } from './names.ts';
import { OpenImages } from '../../rbd/open-images.ts';
import { checkPool } from './pool.ts';
import { removeCloneSnapshot, removeImage, removeNew, whenClosed } from './removal.ts';
import { RbdSnapshots } from './snapshots.ts';
import { PoolSpace } from './space.ts';

export interface RbdOptions extends Cluster {
  /** Of this backend alone; the data of open volumes are there as files. */
  directory: string;
  /** Pools of image stores, whose images volumes can be copies on write of. */
  imagePools: readonly string[];
  /** Maximum number of images that the data of a volume depends on. */
  maxCloneDepth: number;
  /** Space for volumes; default: what Ceph reports. */
  capacityBytes?: number | undefined;
  /** Default: 15 s for monitors, 60 s for OSDs. */
  limits?: TimeLimits | undefined;
  /** How long to wait until a client closes the volume, or until Ceph gives up a dead one. Default 40,000. */
  watcherMs?: number | undefined;
}

/** A start asks about each of its volumes at the same time: one list answers them all. */
const sharedListMs = 1000;

/** Stores volumes as images `volume-<id>` in one pool of a Ceph cluster, which can contain others as well. */
export class RbdDriver implements VolumeDriver {
  readonly name = 'rbd';
  readonly pool: string;
  readonly snapshots: RbdSnapshots;
  private readonly options: RbdOptions;
  private readonly commands: RbdCommands;
  private readonly catalogue: Catalogue;
  private readonly space: PoolSpace;
  private readonly leftovers: Leftovers;
  private readonly openImages: OpenImages;
  /** As of the last setup. */
  private monitors: Monitors | undefined;
  private recent: { at: number; names: Promise<ReadonlySet<string>> } | undefined;

  constructor(options: RbdOptions, context: DriverContext) {
    this.options = options;
    this.pool = options.pool;
    this.commands = new RbdCommands(options, context.processes, options.limits);
    this.catalogue = new Catalogue(this.commands);
    this.space = new PoolSpace(this.commands, this.catalogue, options.capacityBytes);
    this.leftovers = new Leftovers(this.commands, context.log);
    const { pool, user, conf, directory, maxCloneDepth: maxDepth, imagePools } = options;
    this.openImages = new OpenImages({ ...context, pool, user, conf, directory });
    this.snapshots = new RbdSnapshots(this.commands, {
      maxDepth,
      imagePools,
      openImages: this.openImages,
      list: async () => (await this.list()).named,
      create: (volume, createOptions, make) => this.create(volume, createOptions, make),
      onChange: (volume) => this.catalogue.invalidate(imageName(volume)),
    });
  }

  get capabilities(): Capabilities {
    return {
      ...noCapabilities,
      snapshots: true,
      clones: true,
      extend: true,
      images: true,
      migration: true,
      thin: true,
      discard: true,
      shared: this.monitors === undefined ? '' : `rbd:${this.monitors.fsid}/${this.pool}`,
    };
  }

  async setup(): Promise<void> {
    this.monitors = await checkPool(this.commands);
    await this.openImages.clear();
    this.catalogue.invalidateAll();
    await this.list();
  }

  async createVolume(volume: VolumeSpec, options: CreateOptions = {}): Promise<CreatedVolume> {
    const make = () => makeEmpty(this.commands, volume, options.signal);
    const { fields, isNew } = await this.create(volume, options, make);
    return { fields, isNew, isBlank: isNew };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const name = imageName(volume);
    const [info, metadata] = await Promise.all([imageInfo(this.commands, name), readMetadata(this.commands, name)]);
    const labels = labelsIn(metadata ?? {}, volume.id);
    return info !== undefined && info.size >= volume.sizeBytes && !!labels && sameLabels(labels, volume.labels);
  }

  async readLabels(id: string): Promise<Labels | undefined> {
    const name = imageName({ id });
    this.catalogue.invalidate(name);
    return labelsIn((await readMetadata(this.commands, name)) ?? {}, id);
  }

  /** An image needs no activation. */
  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const name = imageName(volume);
    if ((await this.recentNames()).has(name)) return;
    if ((await imageInfo(this.commands, name)) === undefined) throw this.missing(volume);
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    const name = imageName(volume);
    const metadata = await readMetadata(this.commands, name);
    const labels = labelsIn(metadata ?? {}, volume.id);
    if (labels === undefined) {
      throw errors.storageMissing(volume.id, this.fullName(volume), metadata && this.relabelling(volume));
    }
    this.catalogue.invalidate(name); // another node may have changed them
    if (sameLabels(labels, volume.labels)) return;
    await label(this.commands, name, labelArguments(volume));
    this.catalogue.invalidate(name);
  }

  async relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    const metadata = await readMetadata(this.commands, imageName(volume));
    return metadata && labelsIn(metadata, volume.id) === undefined ? this.relabelling(volume) : undefined;
  }

  /** Needs no wipe: no data of a removed image appears in another one. */
  async deleteVolume(volume: VolumeSpec, options: DeleteOptions = {}): Promise<void> {
    const name = imageName(volume);
    await removeNew(this.commands, volume);
    const metadata = await readMetadata(this.commands, name);
    if (metadata === undefined) await removeCloneSnapshot(this.commands, volume);
    else {
      if (labelsIn(metadata, volume.id) === undefined) {
        const rename = `rbd rename ${this.fullName(volume)} ${this.fullName(volume)}.other`;
        throw errors.volumeBusy(
          volume.id,
          `image ${this.fullName(volume)} lacks its label; if it is not it: ${rename}`,
        );
      }
      const outcome = await removeImage(this.commands, volume, { ...options, waitMs: this.options.watcherMs });
      if (outcome === 'kept') this.leftovers.areKnown = true;
    }
    this.catalogue.invalidate(name);
    this.space.release(name);
    this.recent = undefined;
    // It may have been the last copy of one of them.
    if (this.leftovers.areKnown) await this.list();
  }

  localPath(volume: VolumeSpec): string {
    return rbdAddress(this.pool, imageName(volume));
  }

  async openVolume(volume: VolumeSpec, options: OpenOptions): Promise<OpenData> {
    const name = imageName(volume);
    if ((await imageInfo(this.commands, name)) === undefined) throw this.missing(volume);
    await whenClosed(this.commands, volume, { signal: options.signal, waitMs: this.options.watcherMs });
    return this.openImages.add({ image: name }, options);
  }

  async listVolumes(): Promise<FoundVolume[]> {
    return (await this.list()).named.flatMap(({ id, sizeBytes, metadata }) => {
      const labels = labelsIn(metadata, id);
      return labels === undefined ? [] : [{ id, sizeBytes, labels }];
    });
  }

  async stats(): Promise<DriverStats> {
    if (this.space.isStale) await this.list();
    return this.space.stats();
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    const name = imageName(volume);
    const info = await imageInfo(this.commands, name);
    if (info === undefined) throw this.missing(volume);
    if (info.size >= volume.sizeBytes) return;
    await this.space.reserve(name, volume.sizeBytes, () => resize(this.commands, volume, name));
  }

  cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    return this.create(volume, options, async () => {
      const maxDepth = this.options.maxCloneDepth;
      if (!(await cloneOf(this.commands, volume, source, { ...options, maxDepth }))) throw this.missing(source);
    });
  }

  async close(): Promise<void> {
    await this.leftovers.close();
  }

  /** `make` makes the image under its temporary name. */
  private async create(volume: VolumeSpec, options: CreateOptions, make: () => Promise<void>): Promise<CreatedVolume> {
    labelArguments(volume); // refuses labels before anything is made
    const name = imageName(volume);
    const isNew = !(await adopt(this.commands, volume, options));
    if (isNew) {
      await this.space.reserve(name, volume.sizeBytes, async () => {
        await make();
        await complete(this.commands, volume);
      });
    }
    this.catalogue.invalidate(name);
    return { fields: {}, isNew };
  }

  private async list() {
    const listing = await this.space.list();
    this.leftovers.removeUnneeded(listing.all);
    return listing;
  }

  /** Names of images as of a second ago at most. */
  private recentNames(): Promise<ReadonlySet<string>> {
    const now = performance.now();
    if (this.recent === undefined || now - this.recent.at > sharedListMs) {
      const names = listImages(this.commands).then((images) => new Set(images.map(({ name }) => name)));
      this.recent = { at: now, names };
    }
    return this.recent.names;
  }

  private relabelling(volume: VolumeSpec): string {
    const [key, value] = labelArguments(volume);
    return `rbd image-meta set ${this.fullName(volume)} ${key} '${value.replaceAll("'", `'\\''`)}'`;
  }

  private missing(volume: VolumeSpec): BlockstoreError {
    return errors.storageMissing(volume.id, `image ${this.fullName(volume)}`);
  }

  private fullName(volume: VolumeSpec): string {
    return `${this.pool}/${imageName(volume)}`;
  }
}
