import { errors } from '../../errors.ts';
import { type CreatedVolume, type VolumeDriver, type VolumeSpec, checkLabels } from '../driver.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import type { FakeSpace } from './space.ts';

/** Snapshots without data: each takes the space of its volume. */
export class FakeSnapshots implements Snapshots {
  private readonly driver: Pick<VolumeDriver, 'createVolume' | 'ensureVolume' | 'hasVolume'>;
  private readonly space: FakeSpace;
  private readonly snapshots = new Map<string, FoundSnapshot>();

  constructor(driver: Pick<VolumeDriver, 'createVolume' | 'ensureVolume' | 'hasVolume'>, space: FakeSpace) {
    this.driver = driver;
    this.space = space;
  }

  async createSnapshot({ id, volume, labels }: SnapshotSpec): Promise<void> {
    checkLabels(labels);
    await this.driver.ensureVolume(volume);
    if (this.snapshots.has(id)) return;
    this.space.reserve(volume.sizeBytes);
    this.snapshots.set(id, { id, volumeId: volume.id, sizeBytes: volume.sizeBytes, labels });
  }

  async createSnapshots(snapshots: readonly SnapshotSpec[]): Promise<void> {
    for (const snapshot of snapshots) await this.deleteSnapshot(snapshot);
    for (const snapshot of snapshots) await this.createSnapshot(snapshot);
  }

  async hasSnapshot({ id }: SnapshotSpec): Promise<boolean> {
    return this.snapshots.has(id);
  }

  async labelSnapshot({ id, labels }: SnapshotSpec): Promise<void> {
    checkLabels(labels);
    const found = this.snapshots.get(id);
    if (!found) throw errors.snapshotMissing(id, `fake:snapshot-${id}`);
    this.snapshots.set(id, { ...found, labels });
  }

  async deleteSnapshot({ id }: SnapshotSpec): Promise<void> {
    this.space.release(this.snapshots.get(id)?.sizeBytes ?? 0);
    this.snapshots.delete(id);
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    return [...this.snapshots.values()];
  }

  async createFromSnapshot(volume: VolumeSpec, { id }: SnapshotSpec, options?: CopyOptions): Promise<CreatedVolume> {
    if (!this.snapshots.has(id) && !(await this.driver.hasVolume(volume))) {
      throw errors.snapshotMissing(id, `fake:snapshot-${id}`);
    }
    return this.driver.createVolume(volume, options);
  }
}
