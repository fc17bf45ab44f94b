import { fileUsers } from '../../devices/file-users.ts';
import { errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import { ChildProcesses, type Processes } from '../../process.ts';
import { noCapabilities } from '../capabilities.ts';
import {
  type CreateOptions,
  type CreatedVolume,
  type DeleteOptions,
  type DriverStats,
  type FoundVolume,
  type VolumeDriver,
  type VolumeSpec,
  checkLabels,
} from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import type { CopySource } from './copy.ts';
import { DataFiles } from './data-files.ts';
import { KnownPool } from './known-pool.ts';
import { labelFile, withLabels, writeLabels } from './labels.ts';
import { poolFiles, volumeFile } from './pool-files.ts';
import { PoolLock, type PoolLockOptions } from './pool-lock.ts';
import { checkWritable, makePool, notWritable } from './pool.ts';
import { FileSnapshots, copyOfVolume } from './snapshots.ts';
import { PoolSpace } from './space.ts';

export interface FileOptions {
  directory: string;
  /** Maximum total size of all volumes and snapshots; default: the space of the file system. */
  poolBytes?: number;
  /** Keeps the UUIDs of this node's pools, by which a start recognises its own; default: none is kept. */
  knownPools?: string;
  /** Locks the pool for this node alone; default: it is not locked. */
  lock?: PoolLockOptions;
  /** Run copies where the file system has no reflinks. */
  processes?: Processes;
}

/** Stores volumes as sparse files `volume-<id>` in one directory; requires neither root nor a device. */
export class FileDriver implements VolumeDriver {
  readonly name = 'file';
  readonly capabilities = {
    ...noCapabilities,
    snapshots: true,
    groupSnapshots: true,
    clones: true,
    extend: true,
    images: true,
    migration: true,
    multiattach: true,
  };
  readonly snapshots: FileSnapshots;
  readonly pool: string;
  private readonly directory: string;
  private readonly known: KnownPool;
  private readonly lock: PoolLock;
  private readonly space: PoolSpace;
  private readonly files: DataFiles;

  constructor(options: FileOptions) {
    this.directory = options.directory;
    this.pool = options.directory;
    this.known = new KnownPool(options.directory, options.knownPools);
    this.lock = new PoolLock(options.directory, options.lock);
    this.space = new PoolSpace(options.directory, options.poolBytes ?? Number.POSITIVE_INFINITY);
    this.files = new DataFiles(options.directory, this.space, options.processes ?? new ChildProcesses());
    const { directory, known, files } = this;
    this.snapshots = new FileSnapshots({
      directory,
      known,
      files,
      createCopy: (volume, source, copyOptions) => this.create(volume, source, copyOptions),
    });
  }

  async setup(): Promise<void> {
    await makePool(this.directory);
    await this.known.open();
    await this.lock.take();
    await this.files.removeInterrupted();
    await this.space.open();
  }

  async createVolume(volume: VolumeSpec, options?: CreateOptions): Promise<CreatedVolume> {
    return this.create(volume, undefined, options);
  }

  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options?: CopyOptions): Promise<CreatedVolume> {
    return this.create(volume, copyOfVolume(this.directory, source), options);
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    const { sizeBytes } = volume;
    const file = this.localPath(volume);
    await this.files.exclusively(file, async () => {
      await this.ensureVolume(volume);
      await checkWritable(this.directory);
      await this.files.ensure({ file, sizeBytes, label: async () => {} });
    });
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await statIfExists(this.localPath(volume));
    return found !== undefined && found.size >= volume.sizeBytes;
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const found = await statIfExists(this.localPath(volume));
    if (found !== undefined) return;
    await this.known.check();
    throw errors.storageMissing(volume.id, this.localPath(volume));
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.ensureVolume(volume);
    await writeLabels(this.directory, volume);
  }

  /** Needs no wipe: a file system never exposes old data. Labels are removed first, so that a remaining file is recognised. */
  async deleteVolume(volume: VolumeSpec, { signal }: DeleteOptions = {}): Promise<void> {
    const file = this.localPath(volume);
    const remove = async () => {
      await this.known.check();
      const busy = (by: string) => errors.volumeBusy(volume.id, by);
      const users = await fileUsers(file);
      if (users.length > 0) throw busy(users.join(', '));
      // The labels last: without them a file is somebody else's.
      await this.files.remove(file, [file, labelFile(this.directory, volume.id)], busy);
    };
    await this.files.exclusively(file, remove, signal);
  }

  localPath(volume: VolumeSpec): string {
    return volumeFile(this.directory, volume.id);
  }

  async listVolumes(): Promise<FoundVolume[]> {
    await this.known.check();
    const found = (await poolFiles(this.directory)).filter(({ kind, isPart }) => kind === 'volume' && !isPart);
    return Promise.all(found.map(({ id, sizeBytes }) => withLabels(this.directory, id, sizeBytes)));
  }

  async stats(): Promise<DriverStats> {
    await this.known.check();
    const figures = await this.space.figures();
    const problem = await notWritable(this.directory);
    return problem
      ? { ...figures, acceptsCreates: false, problem: problem.message }
      : { ...figures, acceptsCreates: true };
  }

  async close(): Promise<void> {
    await this.lock.release();
  }

  private async create(
    volume: VolumeSpec,
    source: CopySource | undefined,
    options: CopyOptions = {},
  ): Promise<CreatedVolume> {
    const { id, sizeBytes, labels } = volume;
    const file = this.localPath(volume);
    checkLabels(labels);
    const create = async () => {
      await this.known.check();
      await checkWritable(this.directory);
      const isNew = !(await this.isThere(volume));
      if (!isNew && options.accept) options.accept((await withLabels(this.directory, id, sizeBytes)).labels);
      await this.files.ensure({ file, sizeBytes, label: () => writeLabels(this.directory, volume), source }, options);
      return { fields: {}, isNew, isBlank: isNew };
    };
    return this.files.exclusively(file, create, options.signal);
  }

  /** Throws VolumeExists for a file that somebody else has put there. */
  private async isThere(volume: VolumeSpec): Promise<boolean> {
    const file = this.localPath(volume);
    if ((await statIfExists(file)) === undefined) return false;
    const labels = await statIfExists(labelFile(this.directory, volume.id));
    if (labels === undefined) throw errors.notLabelled(volume.id, file, `mv ${file} ${file}.other`);
    return true;
  }
}
