import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { CreateOptions, CreatedVolume, Labels, VolumeSpec } from '../driver.ts';
import type { OpenData, OpenOptions } from '../open-data.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import { type NamedImage, readMetadata } from './catalogue.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import type { OpenImages } from '../../rbd/open-images.ts';
import { label, makeClone } from './creation.ts';
import { cloneOfImage } from './image-clone.ts';
import { snapshotsOf } from './images.ts';
import { labelArguments, labelsIn, sameLabels, snapshotKey } from './labels.ts';
import { tryParseLocation } from './location.ts';
import { imageName, snapshotIdIn, snapshotName } from './names.ts';

interface Context {
  maxDepth: number;
  /** Those of image stores. */
  imagePools: readonly string[];
  openImages: OpenImages;
  list: () => Promise<NamedImage[]>;
  create: (volume: VolumeSpec, options: CreateOptions, make: () => Promise<void>) => Promise<CreatedVolume>;
  /** Called after a change of the metadata of a volume. */
  onChange: (volume: Pick<VolumeSpec, 'id'>) => void;
}

/** Snapshots `snap-<id>` of images. Their labels are in the metadata of the image. */
export class RbdSnapshots implements Snapshots {
  private readonly commands: RbdCommands;
  private readonly context: Context;
  /** One command for an image at a time: of twenty that contend for its lock, rbd 16.2 aborts some (AsyncOpTracker). */
  private readonly mutex = new KeyedMutex();

  constructor(commands: RbdCommands, context: Context) {
    this.commands = commands;
    this.context = context;
  }

  /** Labels first: a snapshot always has them. */
  createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    return this.mutex.run(snapshot.volume.id, () => this.create(snapshot));
  }

  private async create(snapshot: SnapshotSpec): Promise<void> {
    const { volume } = snapshot;
    const name = imageName(volume);
    const metadata = await readMetadata(this.commands, name);
    if (metadata === undefined || labelsIn(metadata, volume.id) === undefined) throw this.missing(volume);
    const key = snapshotKey(snapshot.id);
    await label(this.commands, name, labelArguments(snapshot, key));
    this.context.onChange(volume);
    const answer = await this.commands.rbd(['snap', 'create', '--no-progress', fullName(snapshot)]);
    if (answer.failure === undefined || answer.failure === 'exists') return;
    if (answer.failure === 'absent') throw this.missing(volume);
    if (answer.failure === 'noSpace') throw errors.noSpace(`pool ${this.commands.cluster.pool}`, 0, 0);
    throw errors.rbdFailed(`rbd snap create ${fullName(snapshot)}`, answer.reason);
  }

  async hasSnapshot({ id, volume, labels }: SnapshotSpec): Promise<boolean> {
    const name = imageName(volume);
    const [found, metadata] = await Promise.all([snapshotsOf(this.commands, name), readMetadata(this.commands, name)]);
    const recorded = labelsIn(metadata ?? {}, id, snapshotKey(id));
    return !!found?.some((one) => one.name === snapshotName({ id })) && !!recorded && sameLabels(recorded, labels);
  }

  labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    return this.mutex.run(snapshot.volume.id, async () => {
      const { volume } = snapshot;
      const argument = labelArguments(snapshot, snapshotKey(snapshot.id));
      this.context.onChange(volume); // another node may have changed them
      if (await this.hasSnapshot(snapshot)) return;
      const found = await snapshotsOf(this.commands, imageName(volume));
      if (!found?.some(({ name }) => name === snapshotName(snapshot))) throw this.absent(snapshot);
      await label(this.commands, imageName(volume), argument);
      this.context.onChange(volume);
    });
  }

  async openSnapshot(snapshot: SnapshotSpec, { signal }: Partial<OpenOptions> = {}): Promise<OpenData> {
    const image = imageName(snapshot.volume);
    const name = snapshotName(snapshot);
    const found = await snapshotsOf(this.commands, image);
    if (!found?.some((one) => one.name === name)) throw this.absent(snapshot);
    return this.context.openImages.add({ image, snapshot: name }, { access: 'read', signal });
  }

  /** Copies of the snapshot do not keep it. Throws SnapshotBusy for one that somebody has protected. */
  deleteSnapshot(snapshot: SnapshotSpec): Promise<void> {
    return this.mutex.run(snapshot.volume.id, () => this.remove(snapshot));
  }

  private async remove(snapshot: SnapshotSpec): Promise<void> {
    const answer = await this.commands.rbd(['snap', 'rm', '--no-progress', fullName(snapshot)]);
    if (answer.failure === 'busy') {
      const full = `${this.commands.cluster.pool}/${fullName(snapshot)}`;
      throw errors.snapshotBusy(
        snapshot.id,
        `${answer.reason}; see "rbd children ${full}", and to end its protection: rbd snap unprotect ${full}`,
      );
    }
    if (answer.failure !== undefined && answer.failure !== 'absent') {
      throw errors.rbdFailed(`rbd snap rm ${fullName(snapshot)}`, answer.reason);
    }
    const remove = ['image-meta', 'remove', imageName(snapshot.volume), snapshotKey(snapshot.id)];
    const removed = await this.commands.rbd(remove);
    this.context.onChange(snapshot.volume);
    if (removed.failure === undefined || removed.failure === 'absent') return;
    throw errors.rbdFailed(`rbd ${remove.join(' ')}`, removed.reason);
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const images = await this.context.list();
    return images.flatMap(({ id: volumeId, metadata, snapshots }) =>
      snapshots.flatMap(({ name, sizeBytes }) => {
        const id = snapshotIdIn(name);
        const labels = id === undefined ? undefined : labelsIn(metadata, id, snapshotKey(id));
        return id === undefined || labels === undefined ? [] : [{ id, volumeId, sizeBytes, labels }];
      }),
    );
  }

  async readLabels({ id, volumeId }: Pick<FoundSnapshot, 'id' | 'volumeId'>): Promise<Labels | undefined> {
    const volume = { id: volumeId };
    this.context.onChange(volume);
    return labelsIn((await readMetadata(this.commands, imageName(volume))) ?? {}, id, snapshotKey(id));
  }

  createFromSnapshot(volume: VolumeSpec, snapshot: SnapshotSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    return this.context.create(volume, options, async () => {
      const { maxDepth } = this.context;
      if (await makeClone(this.commands, volume, fullName(snapshot), { ...options, maxDepth })) return;
      throw this.absent(snapshot);
    });
  }

  async cloneFrom(volume: VolumeSpec, location: string, options: CopyOptions = {}): Promise<CreatedVolume | undefined> {
    const source = tryParseLocation(location);
    // Users of an image store may be able to state any location, such as a volume of somebody else.
    if (source === undefined || !this.context.imagePools.includes(source.pool)) return undefined;
    const notPossible = new Error(`${location} cannot be cloned`);
    const make = async () => {
      const { maxDepth } = this.context;
      if (!(await cloneOfImage(this.commands, volume, source, { ...options, maxDepth }))) throw notPossible;
    };
    try {
      return await this.context.create(volume, options, make);
    } catch (error) {
      if (error === notPossible) return undefined;
      throw error;
    }
  }

  private absent(snapshot: SnapshotSpec) {
    return errors.snapshotMissing(snapshot.id, `${this.commands.cluster.pool}/${fullName(snapshot)}`);
  }

  private missing(volume: VolumeSpec) {
    return errors.storageMissing(volume.id, `image ${this.commands.cluster.pool}/${imageName(volume)}`);
  }
}

function fullName({ id, volume }: SnapshotSpec): string {
  return `${imageName(volume)}@${snapshotName({ id })}`;
}
