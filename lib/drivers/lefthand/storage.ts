import { Semaphore } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { Admission } from '../../san/admission.ts';
import { Cliq } from '../../san/lefthand/cliq.ts';
import { readCluster } from '../../san/lefthand/cluster.ts';
import { type Description, writeDescription } from '../../san/lefthand/descriptions.ts';
import {
  type LefthandSnapshot,
  type LefthandStorage,
  type LefthandVolume,
  readStorage,
} from '../../san/lefthand/volumes.ts';
import { SharedRead } from '../../san/shared-read.ts';
import type { SanShell } from '../../san/shell.ts';
import { type CreateOptions, type Labels, type VolumeSpec, checkLabels } from '../driver.ts';

export interface LefthandOptions {
  /** `san_clustername` */
  cluster: string;
  thin: boolean;
  /** The name of this node: volumes of others in the cluster are left alone. */
  node: string;
}

export interface Capacity {
  totalBytes: number;
  freeBytes: number;
}

/** The volumes of this node in one cluster: what the driver and its snapshots both do. */
export class LefthandVolumes {
  readonly cliq: Cliq;
  readonly storage: SharedRead<LefthandStorage>;
  readonly options: LefthandOptions;
  /** Snapshots that a clone is being made by. */
  readonly inUse = new Set<string>();
  /** One collection at a time: two would remove the same. */
  readonly collecting = new Semaphore(1);
  private readonly admission: Admission;

  constructor(shell: SanShell, options: LefthandOptions) {
    this.cliq = new Cliq(shell);
    this.options = options;
    this.storage = new SharedRead(() => readStorage(this.cliq, options), shell.changes);
    this.admission = new Admission(async () => {
      const [{ volumes }, { freeBytes }] = await Promise.all([this.storage.fresh(), this.capacity()]);
      const sizes = new Map(volumes.map(({ name, sizeBytes }) => [name.slice('volume-'.length), sizeBytes]));
      return { storage: `LeftHand cluster ${options.cluster}`, freeBytes, sizes };
    });
  }

  /** Of the cluster, whose figures are in blocks. Throws StorageUnusable. */
  async capacity(): Promise<Capacity> {
    const { cluster } = this.options;
    const [found, { volumes }] = await Promise.all([readCluster(this.cliq, cluster), this.storage.recent(2000)]);
    const { blockSize = '1', spaceTotal = '', unprovisionedSpace = '' } = found?.attributes ?? {};
    const totalBytes = Number(spaceTotal) * Number(blockSize);
    const unprovisioned = Number(unprovisionedSpace) * Number(blockSize);
    if (spaceTotal === '' || !Number.isSafeInteger(totalBytes) || !Number.isSafeInteger(unprovisioned)) {
      throw errors.answerUnreadable('getClusterInfo', JSON.stringify(found?.attributes ?? {}));
    }
    const promised = volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { totalBytes, freeBytes: Math.max(0, Math.min(unprovisioned, totalBytes - promised)) };
  }

  /** As of now, also one that is not labelled as ours. */
  async find({ id }: Pick<VolumeSpec, 'id'>): Promise<LefthandVolume | undefined> {
    return (await this.storage.fresh()).volumes.find(({ name }) => name === nameOf(id));
  }

  /** Throws StorageMissing. */
  async require(volume: VolumeSpec): Promise<LefthandVolume> {
    const found = await this.find(volume);
    if (isPresent(found)) return found;
    throw errors.storageMissing(volume.id, nameOf(volume.id));
  }

  async change(verb: string, values: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void> {
    await this.storage.changing(() => this.cliq.run(verb, values, { signal }));
  }

  describe(volume: VolumeSpec, more: Partial<Description> = {}): string {
    checkLabels(volume.labels);
    return writeDescription({ id: volume.id, node: this.options.node, ...more, labels: volume.labels });
  }

  /** Makes the volume by that work where there is none. Returns whether there was none. */
  async make(volume: VolumeSpec, work: () => Promise<void>, { signal, accept }: CreateOptions): Promise<boolean> {
    this.describe(volume); // throws before anything is made
    const existing = await this.find(volume);
    if (existing) {
      await this.adopt(volume, existing, accept);
      return false;
    }
    await this.admission.during(volume.id, volume.sizeBytes, work, signal);
    // Descriptions are cut where the storage has a limit: the labels would be lost.
    const made = await this.find(volume);
    if (!isPresent(made))
      throw errors.answerUnreadable('getVolumeInfo', `${nameOf(volume.id)} without its description`);
    return true;
  }

  /** Throws NoSpace, StorageMissing. */
  async grow(volume: VolumeSpec, signal?: AbortSignal): Promise<void> {
    const { sizeBytes, name } = await this.require(volume);
    if (sizeBytes >= volume.sizeBytes) return;
    const work = () => this.change('modifyVolume', { volumeName: name, size: sizeText(volume.sizeBytes) }, signal);
    await this.admission.during(volume.id, volume.sizeBytes, work, signal);
  }

  async label(volume: VolumeSpec, { name, described }: LefthandVolume): Promise<void> {
    const origin = described?.origin === undefined ? {} : { origin: described.origin };
    const description = this.describe(volume, origin);
    if (described && writeDescription(described) === description) return;
    await this.change('modifyVolume', { volumeName: name, description });
  }

  private async adopt(volume: VolumeSpec, found: LefthandVolume, accept?: (found: Labels) => void): Promise<void> {
    const { name, described, sizeBytes } = found;
    if (!described) throw errors.notLabelled(volume.id, name, `modifyVolume volumeName=${name} newName=other-${name}`);
    accept?.(described.labels);
    await this.label(volume, found);
    if (sizeBytes < volume.sizeBytes && described.origin === undefined) throw errors.volumeExists(volume.id);
  }
}

export function nameOf(id: string): string {
  return `volume-${id}`;
}

/** Whether it is there for others than those that are made from it. */
export function isPresent<T extends LefthandVolume | LefthandSnapshot>(
  found: T | undefined,
): found is T & { described: Description } {
  return found?.described !== undefined && found.described.isDeleted !== true;
}

/** Whole GiB, or MiB. */
export function sizeText(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}GB` : `${Math.ceil(bytes / 2 ** 20)}MB`;
}
