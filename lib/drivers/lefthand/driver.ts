import type { SanShell } from '../../san/shell.ts';
import { type Capabilities, noCapabilities } from '../capabilities.ts';
import type {
  CreateOptions,
  CreatedVolume,
  DeleteOptions,
  DriverStats,
  FoundVolume,
  VolumeDriver,
  VolumeSpec,
} from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import { removeVolume } from './removal.ts';
import { LefthandSnapshots } from './snapshots.ts';
import { type LefthandOptions, LefthandVolumes, isPresent, nameOf, sizeText } from './storage.ts';

/** For how long a list is used that nothing here has changed since: a start asks for each of many volumes. */
const listKeptMs = 2000;

/** Stores volumes `volume-<id>` in a cluster of HP LeftHand, by the command line CLIQ. New volumes show no old data. */
export class LefthandDriver implements VolumeDriver {
  readonly name = 'lefthand';
  readonly pool: string;
  readonly capabilities: Capabilities;
  readonly snapshots: LefthandSnapshots;
  private readonly shell: SanShell;
  private readonly volumes: LefthandVolumes;

  constructor(shell: SanShell, options: LefthandOptions) {
    this.shell = shell;
    this.pool = options.cluster;
    this.capabilities = { ...noCapabilities, snapshots: true, clones: true, extend: true, thin: options.thin };
    this.volumes = new LefthandVolumes(shell, options);
    this.snapshots = new LefthandSnapshots(this.volumes);
  }

  /** Throws StorageUnusable for a cluster that is absent. */
  async setup(): Promise<void> {
    await this.volumes.capacity();
  }

  async createVolume(volume: VolumeSpec, options: CreateOptions = {}): Promise<CreatedVolume> {
    const { cluster, thin } = this.volumes.options;
    const create = () =>
      this.volumes.change(
        'createVolume',
        {
          clusterName: cluster,
          volumeName: nameOf(volume.id),
          thinProvision: thin ? '1' : '0',
          size: sizeText(volume.sizeBytes),
          description: this.volumes.describe(volume),
        },
        options.signal,
      );
    return { fields: {}, isNew: await this.volumes.make(volume, create, options) };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await this.volumes.find(volume);
    return isPresent(found) && found.sizeBytes >= volume.sizeBytes;
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const { volumes } = await this.volumes.storage.inSeries(listKeptMs);
    if (volumes.some((one) => one.name === nameOf(volume.id) && isPresent(one))) return;
    await this.volumes.require(volume);
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.volumes.label(volume, await this.volumes.require(volume));
  }

  async deleteVolume(volume: VolumeSpec, { signal }: DeleteOptions = {}): Promise<void> {
    await removeVolume(this.volumes, volume, signal);
  }

  /** Not a path of this host: the name of the volume. */
  localPath(volume: VolumeSpec): string {
    return nameOf(volume.id);
  }

  async listVolumes(): Promise<FoundVolume[]> {
    const { volumes } = await this.volumes.storage.recent(listKeptMs);
    return volumes.filter(isPresent).map(({ described: { id, labels }, sizeBytes }) => ({ id, sizeBytes, labels }));
  }

  async stats(): Promise<DriverStats> {
    const [{ volumes }, { totalBytes, freeBytes }] = await Promise.all([
      this.volumes.storage.recent(listKeptMs),
      this.volumes.capacity(),
    ]);
    const volumeBytes = volumes.filter(isPresent).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { totalBytes, freeBytes, volumeBytes, acceptsCreates: true };
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    await this.volumes.grow(volume);
  }

  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    return this.snapshots.cloneVolume(volume, source, options);
  }

  async close(): Promise<void> {
    await this.shell.close();
  }
}
