import { errors } from '../../errors.ts';
import {
  type CreateOptions,
  type CreatedVolume,
  type DriverStats,
  type FoundVolume,
  type VolumeDriver,
  type VolumeSpec,
  checkLabels,
  noCapabilities,
} from '../driver.ts';

/** Driver without storage, for tests, trials and benchmarks. Its volumes are gone when the daemon ends. */
export class FakeDriver implements VolumeDriver {
  readonly name = 'fake';
  readonly pool = 'fake';
  readonly capabilities = noCapabilities;
  private readonly volumes = new Map<string, FoundVolume>();
  private readonly totalBytes: number;
  private usedBytes = 0;

  constructor(options: { totalBytes?: number } = {}) {
    this.totalBytes = options.totalBytes ?? 2 ** 50;
  }

  async setup(): Promise<void> {}

  async createVolume(volume: VolumeSpec, { accept }: CreateOptions = {}): Promise<CreatedVolume> {
    checkLabels(volume.labels);
    const existing = this.volumes.get(volume.id);
    if (existing) accept?.(existing.labels);
    const ownBytes = existing?.sizeBytes ?? 0;
    const freeBytes = this.totalBytes - this.usedBytes + ownBytes;
    if (volume.sizeBytes > freeBytes) throw errors.noSpace('the fake pool', volume.sizeBytes, freeBytes);
    const { id, sizeBytes, labels } = volume;
    this.volumes.set(id, { id, sizeBytes, labels });
    this.usedBytes += volume.sizeBytes - ownBytes;
    return { fields: {}, isNew: existing === undefined };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    return this.volumes.has(volume.id);
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
    this.usedBytes -= this.volumes.get(volume.id)?.sizeBytes ?? 0;
    this.volumes.delete(volume.id);
  }

  localPath(volume: VolumeSpec): string {
    return `fake:volume-${volume.id}`;
  }

  async listVolumes(): Promise<FoundVolume[]> {
    return [...this.volumes.values()];
  }

  async stats(): Promise<DriverStats> {
    const { totalBytes, usedBytes } = this;
    return { totalBytes, freeBytes: totalBytes - usedBytes, volumeBytes: usedBytes, acceptsCreates: true };
  }

  async close(): Promise<void> {}
}
