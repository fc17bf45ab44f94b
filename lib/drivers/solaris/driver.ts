import { errors } from '../../errors.ts';
import type { SanShell } from '../../san/shell.ts';
import { SolarisCommands } from '../../san/solaris/commands.ts';
import { datasetOf } from '../../san/solaris/flags.ts';
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
import { spaceIn } from './space.ts';
import { unless } from './failures.ts';
import { nodeProperty } from './labels.ts';
import { internalSnapshotOf, removeVolume } from './removal.ts';
import { SolarisSnapshots } from './snapshots.ts';
import { Zvols } from './zvols.ts';

export interface SolarisOptions {
  /** `san_zfs_volume_base` */
  base: string;
  thin: boolean;
  /** The name of this node, to which the dataset of the base belongs. */
  node: string;
}

/** For how long a list is used that nothing here has changed since: a start asks for each of many volumes. */
const listKeptMs = 2000;

/** Stores volumes as ZFS volumes `<base>volume-<id>` of a Solaris host. ZFS returns no old data: nothing is wiped. */
export class SolarisDriver implements VolumeDriver {
  readonly name = 'solaris';
  readonly pool: string;
  readonly capabilities: Capabilities;
  readonly snapshots: SolarisSnapshots;
  private readonly options: SolarisOptions;
  private readonly shell: SanShell;
  private readonly commands: SolarisCommands;
  private readonly zvols: Zvols;

  constructor(shell: SanShell, options: SolarisOptions) {
    this.options = options;
    this.shell = shell;
    this.commands = new SolarisCommands(shell);
    this.pool = datasetOf(options.base);
    this.capabilities = { ...noCapabilities, snapshots: true, clones: true, extend: true, thin: options.thin };
    this.zvols = new Zvols(this.commands, options);
    this.snapshots = new SolarisSnapshots(this.zvols);
  }

  /** Throws StorageUnusable for a dataset that is absent or has the volumes of another node. */
  async setup(): Promise<void> {
    const { node } = this.options;
    let owner = (await this.zvols.datasets.fresh()).node;
    if (owner === '') {
      await this.commands.run(['zfs', 'set', `${nodeProperty}=${node}`, this.pool]);
      owner = (await this.zvols.datasets.fresh()).node;
    }
    if (owner === node) return;
    throw errors.sanOfOtherNode(`ZFS dataset ${this.pool}`, owner, `zfs inherit ${nodeProperty} ${this.pool}`);
  }

  async createVolume(volume: VolumeSpec, options: CreateOptions = {}): Promise<CreatedVolume> {
    return { fields: {}, isNew: await this.zvols.make(volume, () => this.zvols.created(volume), options) };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await this.zvols.find(volume);
    return found?.labelled !== undefined && found.sizeBytes >= volume.sizeBytes;
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const { volumes } = await this.zvols.datasets.inSeries(listKeptMs);
    if (volumes.some(({ id, labelled }) => id === volume.id && labelled)) return;
    await this.zvols.require(volume);
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.zvols.label(volume, await this.zvols.require(volume));
  }

  async relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    const found = await this.zvols.find(volume);
    return found && !found.labelled ? this.zvols.relabelCommand(volume) : undefined;
  }

  async deleteVolume(volume: VolumeSpec, { signal }: DeleteOptions = {}): Promise<void> {
    await removeVolume(this.zvols, volume, signal);
  }

  localPath(volume: VolumeSpec): string {
    return `/dev/zvol/rdsk/${this.zvols.nameOf(volume)}`;
  }

  async listVolumes(): Promise<FoundVolume[]> {
    const { volumes } = await this.zvols.datasets.recent(listKeptMs);
    return volumes.flatMap(({ id, sizeBytes, labelled }) =>
      labelled ? [{ id, sizeBytes, labels: labelled.labels }] : [],
    );
  }

  async stats(): Promise<DriverStats> {
    const found = await this.zvols.datasets.recent(listKeptMs);
    return { totalBytes: found.totalBytes, ...spaceIn(found), acceptsCreates: true };
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    await this.zvols.grow(volume);
  }

  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    const snapshot = `${this.zvols.nameOf(source)}@${internalSnapshotOf(volume)}`;
    const isNew = await this.zvols.make(
      volume,
      async () => {
        await this.zvols.require(source);
        await unless('exists', this.zvols.change(volume, ['zfs', 'snapshot', snapshot], options.signal));
        return this.zvols.clonedFrom(volume, snapshot);
      },
      options,
    );
    await unless('absent', this.zvols.change(volume, ['zfs', 'destroy', '-d', snapshot]));
    await this.zvols.grow(volume, options.signal);
    return { fields: {}, isNew };
  }

  async close(): Promise<void> {
    await this.shell.close();
  }
}
