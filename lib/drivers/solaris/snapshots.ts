import { errors } from '../../errors.ts';
import { SanCommandError } from '../../san/shell.ts';
import type { CreatedVolume, DeleteOptions, VolumeSpec } from '../driver.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import type { ZvolSnapshot } from './datasets.ts';
import { unless, zfsFailure } from './failures.ts';
import { labelProperty, sameLabels, writeLabels } from './labels.ts';
import type { Zvols } from './zvols.ts';

/** Snapshots of ZFS volumes, `<volume>@snap-<id>`. One that volumes are made from is deleted for us at once, and goes with them. */
export class SolarisSnapshots implements Snapshots {
  private readonly zvols: Zvols;

  constructor(zvols: Zvols) {
    this.zvols = zvols;
  }

  async createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { id, volume } = snapshot;
    const property = labelling(snapshot);
    if (await this.find(snapshot)) return;
    await this.zvols.require(volume);
    const name = `${this.zvols.nameOf(volume)}@snap-${id}`;
    const command = this.zvols.change(volume, ['zfs', 'snapshot', '-o', property, name]);
    await unless('exists', command);
  }

  async hasSnapshot(snapshot: SnapshotSpec): Promise<boolean> {
    return (await this.find(snapshot)) !== undefined;
  }

  async labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { id, volume, labels } = snapshot;
    const property = labelling(snapshot);
    const found = await this.find(snapshot);
    if (!found) throw errors.snapshotMissing(id, `${this.zvols.nameOf(volume)}@snap-${id}`);
    if (found.labelled && sameLabels(found.labelled.labels, labels)) return;
    await this.zvols.change(volume, ['zfs', 'set', property, found.fullName]);
  }

  async deleteSnapshot(snapshot: SnapshotSpec, _options?: DeleteOptions): Promise<void> {
    const found = await this.find(snapshot);
    if (!found) return;
    try {
      await unless('absent', this.zvols.change(snapshot.volume, ['zfs', 'destroy', '-d', found.fullName]));
    } catch (error) {
      if (zfsFailure(error) !== 'busy' || !(error instanceof SanCommandError)) throw error;
      throw errors.snapshotBusy(snapshot.id, error.words.trim());
    }
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const { snapshots } = await this.zvols.datasets.fresh();
    return snapshots.flatMap(({ labelled, sizeBytes, isDeferred }) => {
      if (!labelled || isDeferred) return [];
      return [{ id: labelled.id, volumeId: labelled.volumeId, sizeBytes, labels: labelled.labels }];
    });
  }

  async createFromSnapshot(
    volume: VolumeSpec,
    snapshot: SnapshotSpec,
    options: CopyOptions = {},
  ): Promise<CreatedVolume> {
    const command = async () => {
      const found = await this.find(snapshot);
      if (!found)
        throw errors.snapshotMissing(snapshot.id, `${this.zvols.nameOf(snapshot.volume)}@snap-${snapshot.id}`);
      return this.zvols.clonedFrom(volume, found.fullName);
    };
    const isNew = await this.zvols.make(volume, command, options);
    await this.zvols.grow(volume, options.signal);
    return { fields: {}, isNew };
  }

  private async find({ id }: SnapshotSpec): Promise<ZvolSnapshot | undefined> {
    const { snapshots } = await this.zvols.datasets.fresh();
    return snapshots.find(({ labelled, isDeferred }) => labelled?.id === id && !isDeferred);
  }
}

/** The property as `zfs` takes it. Throws InvalidArgument. */
function labelling({ id, volume, labels }: SnapshotSpec): string {
  return `${labelProperty}=${writeLabels({ id, volumeId: volume.id, labels })}`;
}
