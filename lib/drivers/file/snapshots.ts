import { errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import { type CreatedVolume, type DeleteOptions, type VolumeSpec, checkLabels } from '../driver.ts';
import { type OpenData, localData } from '../open-data.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import { type CopySource, whileUnwritten } from './copy.ts';
import type { DataFiles } from './data-files.ts';
import type { KnownPool } from './known-pool.ts';
import { snapshotLabelFile, snapshotWithLabels, writeSnapshotLabels } from './labels.ts';
import { poolFiles, snapshotFile, volumeFile } from './pool-files.ts';
import { checkWritable } from './pool.ts';

/** What snapshots share with the volumes of their pool. */
export interface SnapshotsOptions {
  directory: string;
  known: KnownPool;
  files: DataFiles;
  /** Makes a volume that begins as a copy. */
  createCopy: (volume: VolumeSpec, source: CopySource, options?: CopyOptions) => Promise<CreatedVolume>;
}

/** Snapshots are files `snapshot-<id>` beside the volumes, each with the data of its volume: they depend on no other file. */
export class FileSnapshots implements Snapshots {
  private readonly options: SnapshotsOptions;

  constructor(options: SnapshotsOptions) {
    this.options = options;
  }

  async createSnapshot(snapshot: SnapshotSpec, options: Omit<CopyOptions, 'accept'> = {}): Promise<void> {
    const { directory, known, files } = this.options;
    const { id, volume, labels } = snapshot;
    const file = snapshotFile(directory, id);
    checkLabels(labels);
    const create = async () => {
      await known.check();
      await checkWritable(directory);
      if ((await statIfExists(file)) !== undefined) {
        if (!(await this.isLabelled(id))) throw errors.snapshotNotLabelled(id, file);
        await this.checkUsable(snapshot, file);
      }
      const label = () => writeSnapshotLabels(directory, snapshot);
      await files.ensure(
        { file, sizeBytes: volume.sizeBytes, label, source: copyOfVolume(directory, volume) },
        options,
      );
    };
    await files.exclusively(file, create, options.signal);
  }

  /** Of volumes that nothing writes to meanwhile: their writers are not paused. */
  async createSnapshots(snapshots: readonly SnapshotSpec[], options: Omit<CopyOptions, 'accept'> = {}): Promise<void> {
    const sources = snapshots.map(({ volume }) => copyOfVolume(this.options.directory, volume));
    for (const snapshot of snapshots) await this.deleteSnapshot(snapshot, options);
    for (const { check } of sources) await check();
    await whileUnwritten(sources, async () => {
      for (const snapshot of snapshots) await this.createSnapshot(snapshot, options);
    });
  }

  async hasSnapshot({ id, volume }: SnapshotSpec): Promise<boolean> {
    const found = await statIfExists(snapshotFile(this.options.directory, id));
    return found !== undefined && found.size >= volume.sizeBytes && (await this.isLabelled(id));
  }

  async labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { directory, known, files } = this.options;
    const { id, labels } = snapshot;
    const file = snapshotFile(directory, id);
    checkLabels(labels);
    await files.exclusively(file, async () => {
      await known.check();
      const isThere = (await statIfExists(file)) !== undefined && (await this.isLabelled(id));
      if (!isThere) throw errors.snapshotMissing(id, file);
      await writeSnapshotLabels(directory, snapshot);
    });
  }

  /** What reads the file keeps its data. The labels are removed last: without them a file is somebody else's. */
  async deleteSnapshot({ id }: SnapshotSpec, { signal }: Pick<DeleteOptions, 'signal'> = {}): Promise<void> {
    const { directory, known, files } = this.options;
    const file = snapshotFile(directory, id);
    const busy = (by: string) => errors.snapshotBusy(id, by);
    const remove = async () => {
      await known.check();
      const isForeign = (await statIfExists(file)) !== undefined && !(await this.isLabelled(id));
      if (isForeign) {
        throw busy(`${file} is not labelled as a snapshot of blockstore; check whose it is; to remove it: rm ${file}`);
      }
      await files.remove(file, [file, snapshotLabelFile(directory, id)], busy);
    };
    await files.exclusively(file, remove, signal);
  }

  async openSnapshot(snapshot: SnapshotSpec): Promise<OpenData> {
    const file = snapshotFile(this.options.directory, snapshot.id);
    await this.options.known.check();
    await this.checkUsable(snapshot, file);
    return localData(file);
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const { directory, known } = this.options;
    await known.check();
    const found = (await poolFiles(directory)).filter(({ kind, isPart }) => kind === 'snapshot' && !isPart);
    return Promise.all(found.map(({ id, sizeBytes }) => snapshotWithLabels(directory, id, sizeBytes)));
  }

  async createFromSnapshot(volume: VolumeSpec, snapshot: SnapshotSpec, options?: CopyOptions): Promise<CreatedVolume> {
    const file = snapshotFile(this.options.directory, snapshot.id);
    const check = () => this.checkUsable(snapshot, file);
    return this.options.createCopy(volume, { file, sizeBytes: snapshot.volume.sizeBytes, check }, options);
  }

  private async checkUsable({ id, volume }: SnapshotSpec, file: string): Promise<void> {
    const found = await statIfExists(file);
    if (!found) throw errors.snapshotMissing(id, file);
    if (!(await this.isLabelled(id))) {
      throw errors.snapshotUnusable(id, `${file} is not labelled as a snapshot of blockstore`);
    }
    if (found.size < volume.sizeBytes) {
      throw errors.snapshotUnusable(id, `${file} has ${found.size} bytes in place of ${volume.sizeBytes}`);
    }
  }

  private async isLabelled(id: string): Promise<boolean> {
    return (await statIfExists(snapshotLabelFile(this.options.directory, id))) !== undefined;
  }
}

/** The volume as it is when the copy is made. */
export function copyOfVolume(directory: string, { id, sizeBytes }: VolumeSpec): CopySource {
  const file = volumeFile(directory, id);
  return {
    file,
    sizeBytes,
    check: async () => {
      if ((await statIfExists(file)) === undefined) throw errors.storageMissing(id, file);
    },
    writtenTo: (by) => errors.volumeWrittenTo(id, by),
  };
}
