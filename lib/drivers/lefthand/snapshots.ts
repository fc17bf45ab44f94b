import { errors } from '../../errors.ts';
import { writeDescription } from '../../san/lefthand/descriptions.ts';
import type { LefthandSnapshot } from '../../san/lefthand/volumes.ts';
import { type CreatedVolume, type DeleteOptions, type VolumeSpec, checkLabels } from '../driver.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import { collect, marked } from './removal.ts';
import { type LefthandVolumes, isPresent, nameOf } from './storage.ts';

/** Snapshots `snap-<id>`. One that volumes are made from is marked as deleted, and goes with the last of them. */
export class LefthandSnapshots implements Snapshots {
  private readonly volumes: LefthandVolumes;

  constructor(volumes: LefthandVolumes) {
    this.volumes = volumes;
  }

  async createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { id, volume } = snapshot;
    const description = this.describe(snapshot);
    if (await this.find(id)) return;
    const { name } = await this.volumes.require(volume);
    await this.volumes.change('createSnapshot', {
      volumeName: name,
      snapshotName: `snap-${id}`,
      inheritAccess: '1',
      description,
    });
  }

  async hasSnapshot({ id }: SnapshotSpec): Promise<boolean> {
    return (await this.find(id)) !== undefined;
  }

  async labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const description = this.describe(snapshot);
    const found = await this.find(snapshot.id);
    if (!found?.described) throw errors.snapshotMissing(snapshot.id, `snap-${snapshot.id}`);
    if (writeDescription(found.described) === description) return;
    await this.volumes.change('modifySnapshot', { snapshotName: found.name, description });
  }

  async deleteSnapshot({ id }: SnapshotSpec, { signal }: DeleteOptions = {}): Promise<void> {
    const found = await this.find(id);
    if (found?.described) {
      const description = marked(found.described);
      await this.volumes.change('modifySnapshot', { snapshotName: found.name, description }, signal);
    }
    await collect(this.volumes, signal);
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const { snapshots } = await this.volumes.storage.fresh();
    return snapshots
      .filter(isPresent)
      .flatMap(({ described: { id, volumeId, labels }, sizeBytes }) =>
        volumeId === undefined ? [] : [{ id, volumeId, sizeBytes, labels }],
      );
  }

  async createFromSnapshot(
    volume: VolumeSpec,
    snapshot: SnapshotSpec,
    options: CopyOptions = {},
  ): Promise<CreatedVolume> {
    const origin = `snap-${snapshot.id}`;
    const clone = async () => {
      if (!(await this.find(snapshot.id))) throw errors.snapshotMissing(snapshot.id, origin);
      await this.clone(volume, origin, options.signal);
    };
    const isNew = await this.volumes.make(volume, clone, options);
    await this.volumes.grow(volume, options.signal);
    return { fields: {}, isNew };
  }

  /** By a snapshot of its own, which goes with the last volume that needs it. */
  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions): Promise<CreatedVolume> {
    const origin = `clone-${volume.id}`;
    this.volumes.inUse.add(origin);
    try {
      const isNew = await this.volumes.make(
        volume,
        async () => {
          const { name } = await this.volumes.require(source);
          const { snapshots } = await this.volumes.storage.fresh();
          const description = writeDescription({ id: volume.id, node: this.volumes.options.node, labels: {} });
          if (!snapshots.some((one) => one.name === origin)) {
            const values = { volumeName: name, snapshotName: origin, inheritAccess: '1', description };
            await this.volumes.change('createSnapshot', values, options.signal);
          }
          await this.clone(volume, origin, options.signal);
        },
        options,
      );
      await this.volumes.grow(volume, options.signal);
      return { fields: {}, isNew };
    } finally {
      this.volumes.inUse.delete(origin);
    }
  }

  private async clone(volume: VolumeSpec, origin: string, signal?: AbortSignal): Promise<void> {
    const description = this.volumes.describe(volume, { origin });
    await this.volumes.change(
      'cloneSnapshot',
      { snapshotName: origin, volumeName: nameOf(volume.id), description },
      signal,
    );
  }

  private describe({ id, volume, labels }: SnapshotSpec): string {
    checkLabels(labels);
    return writeDescription({ id, node: this.volumes.options.node, volumeId: volume.id, labels });
  }

  private async find(id: string): Promise<LefthandSnapshot | undefined> {
    const { snapshots } = await this.volumes.storage.fresh();
    return snapshots.find((one) => one.name === `snap-${id}` && isPresent(one));
  }
}
