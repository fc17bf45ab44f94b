import { errors } from '../../errors.ts';
import type { CopyOptions } from '../snapshots.ts';
import { noCapabilities } from '../capabilities.ts';
import {
  type CreateOptions,
  type CreatedVolume,
  type DriverStats,
  type FoundVolume,
  type VolumeDriver,
  type VolumeSpec,
  checkLabels,
} from '../driver.ts';
import { FakeSnapshots } from './snapshots.ts';
import { FakeSpace } from './space.ts';

/** Driver without storage, for tests, trials and benchmarks. Its volumes are gone when the daemon ends. */
export class FakeDriver implements VolumeDriver {
  readonly name = 'fake';
  readonly pool = 'fake';
  readonly capabilities = {
    ...noCapabilities,
    snapshots: true,
    groupSnapshots: true,
    clones: true,
    extend: true,
    multiattach: true,
  };
  readonly snapshots: FakeSnapshots;
  private readonly volumes = new Map<string, FoundVolume>();
  private readonly space: FakeSpace;
  private volumeBytes = 0;

  constructor(options: { totalBytes?: number } = {}) {
    this.space = new FakeSpace(options.totalBytes ?? 2 ** 50);
    this.snapshots = new FakeSnapshots(this, this.space);
  }

  async setup(): Promise<void> {}

  async createVolume(volume: VolumeSpec, { accept }: CreateOptions = {}): Promise<CreatedVolume> {
    checkLabels(volume.labels);
    const existing = this.volumes.get(volume.id);
    if (existing) accept?.(existing.labels);
    this.store(volume, existing);
    return { fields: {}, isNew: existing === undefined };
  }

  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options?: CopyOptions): Promise<CreatedVolume> {
    if (!this.volumes.has(volume.id)) await this.ensureVolume(source);
    return this.createVolume(volume, options);
  }

  async extendVolume({ id, sizeBytes }: VolumeSpec): Promise<void> {
    const found = this.volumes.get(id);
    if (!found) throw errors.storageMissing(id, `fake:volume-${id}`);
    if (sizeBytes > found.sizeBytes) this.store({ ...found, sizeBytes }, found);
  }

  async hasVolume({ id, sizeBytes }: VolumeSpec): Promise<boolean> {
    return (this.volumes.get(id)?.sizeBytes ?? -1) >= sizeBytes;
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    if (!this.volumes.has(volume.id)) throw errors.storageMissing(volume.id, this.localPath(volume));
  }

  async labelVolume({ id, labels }: VolumeSpec): Promise<void> {
    const found = this.volumes.get(id);
    if (!found) throw errors.storageMissing(id, `fake:volume-${id}`);
    checkLabels(labels);
    this.volumes.set(id, { ...found, labels });
  }

  async deleteVolume(volume: VolumeSpec): Promise<void> {
    const sizeBytes = this.volumes.get(volume.id)?.sizeBytes ?? 0;
    this.space.release(sizeBytes);
    this.volumeBytes -= sizeBytes;
    this.volumes.delete(volume.id);
  }

  localPath(volume: VolumeSpec): string {
    return `fake:volume-${volume.id}`;
  }

  async listVolumes(): Promise<FoundVolume[]> {
    return [...this.volumes.values()];
  }

  async stats(): Promise<DriverStats> {
    const { totalBytes, freeBytes } = this.space;
    return { totalBytes, freeBytes, volumeBytes: this.volumeBytes, acceptsCreates: true };
  }

  async close(): Promise<void> {}

  private store({ id, sizeBytes, labels }: FoundVolume, existing: FoundVolume | undefined): void {
    const ownBytes = existing?.sizeBytes ?? 0;
    this.space.reserve(sizeBytes, ownBytes);
    this.volumeBytes += sizeBytes - ownBytes;
    this.volumes.set(id, { id, sizeBytes, labels });
  }
}
