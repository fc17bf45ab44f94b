import { errors } from '../../errors.ts';
import type { SolarisCommands } from '../../san/solaris/commands.ts';
import { Admission } from '../../san/admission.ts';
import { SharedRead } from '../../san/shared-read.ts';
import type { CreateOptions, Labels, VolumeSpec } from '../driver.ts';
import { type Datasets, type Zvol, readDatasets } from './datasets.ts';
import { zfsFailure } from './failures.ts';
import { freeSpaceIn, spaceIn } from './space.ts';
import { labelProperty, sameLabels, writeLabels } from './labels.ts';

export interface ZvolOptions {
  /** `san_zfs_volume_base` */
  base: string;
  thin: boolean;
}

/** The ZFS volumes of one base: what the driver and its snapshots both do. */
export class Zvols {
  readonly commands: SolarisCommands;
  readonly datasets: SharedRead<Datasets>;
  private readonly options: ZvolOptions;
  private readonly admission: Admission;

  constructor(commands: SolarisCommands, options: ZvolOptions) {
    this.commands = commands;
    this.options = options;
    this.datasets = new SharedRead(() => readDatasets(commands, options.base), commands.shell.changes);
    this.admission = new Admission(async () => freeSpaceIn(await this.datasets.fresh()));
  }

  nameOf({ id }: Pick<VolumeSpec, 'id'>): string {
    return `${this.options.base}volume-${id}`;
  }

  /** As of now. */
  async find({ id }: Pick<VolumeSpec, 'id'>): Promise<Zvol | undefined> {
    return (await this.datasets.fresh()).volumes.find((volume) => volume.id === id);
  }

  /** Throws StorageMissing. */
  async require(volume: VolumeSpec): Promise<Zvol> {
    const found = await this.find(volume);
    if (found?.labelled) return found;
    throw errors.storageMissing(volume.id, this.nameOf(volume), found && this.relabelCommand(volume));
  }

  relabelCommand(volume: VolumeSpec): string {
    return `zfs set '${labelProperty}=${writeLabels(volume)}' ${this.nameOf(volume)}`;
  }

  /** Runs a command that changes something. Throws NoSpace for `volume`, which is to have its size. */
  async change(volume: VolumeSpec, words: readonly string[], signal?: AbortSignal): Promise<void> {
    try {
      await this.datasets.changing(() => this.commands.run(words, { signal }));
    } catch (error) {
      if (zfsFailure(error) !== 'noSpace') throw error;
      const found = await this.datasets.fresh();
      const { freeBytes } = spaceIn(found);
      throw errors.noSpace(`ZFS dataset ${found.dataset}`, volume.sizeBytes, Math.min(freeBytes, found.availableBytes));
    }
  }

  /** Makes the volume by that command where there is none. Returns whether there was none. */
  async make(
    volume: VolumeSpec,
    command: () => Promise<string[]>,
    { signal, accept }: CreateOptions,
  ): Promise<boolean> {
    writeLabels(volume); // throws before anything is made
    const existing = await this.find(volume);
    if (existing) {
      await this.adopt(volume, existing, accept);
      return false;
    }
    const isMade = await this.admission.during(
      volume.id,
      volume.sizeBytes,
      () => this.madeBy(volume, command, signal),
      signal,
    );
    if (isMade) return true;
    await this.adopt(volume, await this.find(volume), accept);
    return false;
  }

  /** The volume has at least its size. Throws NoSpace, StorageMissing. */
  async grow(volume: VolumeSpec, signal?: AbortSignal): Promise<void> {
    const { sizeBytes } = await this.require(volume);
    if (sizeBytes >= volume.sizeBytes) return;
    const words = ['zfs', 'set', `volsize=${sizeText(volume.sizeBytes)}`, this.nameOf(volume)];
    await this.admission.during(volume.id, volume.sizeBytes, () => this.change(volume, words, signal), signal);
  }

  async label(volume: VolumeSpec, found: Zvol): Promise<void> {
    if (found.labelled && sameLabels(found.labelled.labels, volume.labels)) return;
    await this.change(volume, ['zfs', 'set', `${labelProperty}=${writeLabels(volume)}`, this.nameOf(volume)]);
  }

  /** Words of `zfs create` and `zfs clone` that set what a volume of ours has. */
  async clonedFrom(volume: VolumeSpec, snapshot: string): Promise<string[]> {
    const reserved = this.options.thin ? [] : ['-o', `refreservation=${volume.sizeBytes}`];
    return ['zfs', 'clone', ...reserved, ...labelling(volume), snapshot, this.nameOf(volume)];
  }

  async created(volume: VolumeSpec): Promise<string[]> {
    const thin = this.options.thin ? ['-s'] : [];
    return ['zfs', 'create', ...thin, '-V', sizeText(volume.sizeBytes), ...labelling(volume), this.nameOf(volume)];
  }

  private async madeBy(volume: VolumeSpec, command: () => Promise<string[]>, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.change(volume, await command(), signal);
      return true;
    } catch (error) {
      if (zfsFailure(error) === 'exists') return false;
      throw error;
    }
  }

  /** What an earlier call made is completed. Throws VolumeExists, and what `accept` throws. */
  private async adopt(volume: VolumeSpec, found: Zvol | undefined, accept?: (found: Labels) => void): Promise<void> {
    const name = this.nameOf(volume);
    if (!found?.labelled) throw errors.notLabelled(volume.id, name, `zfs rename ${name} ${name}-other`);
    accept?.(found.labelled.labels);
    await this.label(volume, found);
    if (found.sizeBytes < volume.sizeBytes && found.origin === '') throw errors.volumeExists(volume.id);
  }
}

function labelling(volume: VolumeSpec): string[] {
  return ['-o', `${labelProperty}=${writeLabels(volume)}`];
}

/** Whole GiB, or MiB. */
function sizeText(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}G` : `${Math.ceil(bytes / 2 ** 20)}M`;
}
