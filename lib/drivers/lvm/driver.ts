import { stat } from 'node:fs/promises';
import { retry } from '../../concurrency.ts';
import { usersOf } from '../../devices/users.ts';
import { BlockstoreError, errors } from '../../errors.ts';
import {
  type CreatedVolume,
  type DeleteOptions,
  type DriverContext,
  type DriverStats,
  type FoundVolume,
  type VolumeDriver,
  type VolumeSpec,
  noCapabilities,
} from '../driver.ts';
import { failureOf, lvmError } from './failures.ts';
import { prepareGroup } from './group.ts';
import type { Lvm, LvmAnswer, LvmCommandOptions } from './lvm.ts';
import { openLvm } from './open.ts';
import { type LogicalVolume, groupContent, groupSpace, logicalVolumes, oneLogicalVolume } from './reports.ts';
import { labelsIn, ourTag, tagsOf } from './tags.ts';
import { type VolumeClear, isDeviceBusy, wipe } from './wipe.ts';

export interface LvmOptions {
  volumeGroup: string;
  /** Block devices of the group; LVM reads no others. Empty: the devices of the existing group. */
  storageDev: readonly string[];
  /** Whether to create a missing group on storageDev. */
  storageCreate: boolean;
  volumeClear: VolumeClear;
  volumeClearMiBps: number;
  /** Attempts of reads and other cheap commands. The engine retries creates and deletes. */
  numShellTries: number;
  /** Directory of this driver for its LVM configuration. Created when it does not exist. */
  directory: string;
}

const activateAllTimeoutMs = 600_000;
const statsKeptMs = 1000;
/** Less than this does not hold the tags of another volume. */
const minMetadataBytes = 4096;

/** Stores volumes as logical volumes `volume-<id>` in one volume group, which can contain others as well. */
export class LvmDriver implements VolumeDriver {
  readonly name = 'lvm';
  readonly capabilities = noCapabilities;
  private readonly options: LvmOptions;
  private readonly context: DriverContext;
  private lvm: Lvm | undefined;
  /** Whether the metadata changed since its last copy, which an earlier run may have missed. */
  private changed = true;
  private closed = false;
  private reopened: Promise<void> | undefined;
  private stated: { at: number; stats: Promise<DriverStats> } | undefined;

  constructor(options: LvmOptions, context: DriverContext) {
    this.options = options;
    this.context = context;
  }

  async setup(): Promise<void> {
    this.closed = false;
    await this.retried(() => this.open());
    // After a reboot no volume is active. One command activates all by tag, without those of others in the group.
    await this.retried(() => this.carryOut(['lvchange', '-ay', `@${ourTag}`], { timeoutMs: activateAllTimeoutMs }));
  }

  async createVolume(volume: VolumeSpec, signal?: AbortSignal): Promise<CreatedVolume> {
    return { fields: {}, isNew: await this.reopening(() => this.create(volume, signal)) };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await this.retried(() => oneLogicalVolume(this.shell, this.group, lvName(volume)));
    return found !== undefined && found.active && found.sizeBytes >= volume.sizeBytes && sameTags(found.tags, volume);
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const there = await stat(this.localPath(volume)).catch(() => undefined);
    if (there?.isBlockDevice()) return;
    await this.retried(() => this.activate(volume));
  }

  async deleteVolume(volume: VolumeSpec, options: DeleteOptions = {}): Promise<void> {
    await this.reopening(() => this.remove(volume, options));
  }

  localPath(volume: VolumeSpec): string {
    return `/dev/${this.group}/${lvName(volume)}`;
  }

  async listVolumes(): Promise<FoundVolume[]> {
    const all = await this.retried(() => logicalVolumes(this.shell, this.group));
    return all.flatMap((volume) => {
      const id = volumeId(volume);
      return id === undefined ? [] : [{ id, sizeBytes: volume.sizeBytes, labels: labelsIn(volume.tags).labels }];
    });
  }

  async stats(): Promise<DriverStats> {
    const now = performance.now();
    if (this.stated === undefined || now - this.stated.at > statsKeptMs) {
      this.stated = { at: now, stats: this.retried(() => this.space()) };
    }
    return this.stated.stats;
  }

  async close(): Promise<void> {
    const { lvm } = this;
    this.closed = true;
    this.lvm = undefined;
    await lvm?.close();
  }

  private get group(): string {
    return this.options.volumeGroup;
  }

  private get shell(): Lvm {
    if (this.lvm === undefined) throw errors.lvmInterrupted('lvm', 'the driver is not set up, or closed');
    return this.lvm;
  }

  /** Returns whether the volume did not exist before. */
  private async create(volume: VolumeSpec, signal: AbortSignal | undefined): Promise<boolean> {
    const tags = tagsOf(volume).flatMap((tag) => ['--addtag', tag]);
    const size = ['-L', `${volume.sizeBytes}b`];
    // -Z zeroes the first 4 KiB, so that no earlier file system appears in a new volume. Searching for signatures elsewhere
    // (-W) would take a third of the command's time.
    const args = ['lvcreate', '-y', '-Wn', '-Zy', ...size, '-n', lvName(volume), ...tags, this.group];
    this.changed = true;
    const answer = await this.shell.command(args, signal ? { signal } : {});
    if (answer.status === 0) return true;
    const failure = failureOf(answer);
    if (failure === 'exists') {
      await this.adopt(volume);
      return false;
    }
    if (failure === 'noSpace')
      throw errors.noSpace(`volume group ${this.group}`, volume.sizeBytes, (await this.space()).freeBytes);
    // LVM gives no reason when its metadata area is full.
    const { metadataFreeBytes } = await groupSpace(this.shell, this.group);
    if (metadataFreeBytes < minMetadataBytes) throw errors.groupFull(this.group);
    throw lvmError(args, answer, this.group);
  }

  /** Checks and relabels what an earlier call created, possibly incompletely or for another address. */
  private async adopt(volume: VolumeSpec): Promise<void> {
    const found = await oneLogicalVolume(this.shell, this.group, lvName(volume));
    if (found === undefined) throw errors.lvmInterrupted('lvcreate', 'the volume was there, and is there no more');
    const { id } = labelsIn(found.tags);
    if ((id !== undefined && id !== volume.id) || found.sizeBytes < volume.sizeBytes)
      throw errors.volumeExists(volume.id);
    if (!sameTags(found.tags, volume)) {
      const expected = new Set(tagsOf(volume));
      const old = found.tags.filter((tag) => tag.startsWith(ourTag) && !expected.has(tag));
      const change = [...old.flatMap((tag) => ['--deltag', tag]), ...[...expected].flatMap((tag) => ['--addtag', tag])];
      await this.carryOut(['lvchange', ...change, this.fullName(volume)]);
    }
    if (!found.active) await this.activate(volume);
  }

  private async activate(volume: VolumeSpec): Promise<void> {
    const args = ['lvchange', '-ay', this.fullName(volume)];
    const answer = await this.shell.command(args);
    if (answer.status === 0) return;
    const failure = failureOf(answer);
    if (failure === 'absent' || failure === 'incomplete')
      throw errors.storageMissing(volume.id, this.localPath(volume));
    throw lvmError(args, answer, this.group);
  }

  private async remove(volume: VolumeSpec, options: DeleteOptions): Promise<void> {
    const { volumeClear: clear, volumeClearMiBps: miBps } = this.options;
    const found = await oneLogicalVolume(this.shell, this.group, lvName(volume));
    if (found === undefined) return;
    const device = this.localPath(volume);
    if (found.open) throw errors.volumeBusy(volume.id, await usersOf(device));
    if (clear !== 'none' && !options.unused) {
      if (!found.active) await this.activate(volume);
      await wipe(this.context.processes, device, found.sizeBytes, { ...options, clear, miBps }).catch(async (error) => {
        if (isDeviceBusy(error)) throw errors.volumeBusy(volume.id, await usersOf(device));
        throw error;
      });
    }
    const args = ['lvremove', '-y', this.fullName(volume)];
    this.changed = true;
    const answer = await this.shell.command(args);
    const failure = failureOf(answer);
    if (answer.status === 0 || failure === 'absent') return;
    if (failure === 'busy') throw errors.volumeBusy(volume.id, await usersOf(device));
    throw lvmError(args, answer, this.group);
  }

  private async space(): Promise<DriverStats> {
    await this.backUp();
    const { sizeBytes, freeBytes, volumes } = await groupContent(this.shell, this.group);
    const volumeBytes = volumes
      .filter((volume) => volumeId(volume) !== undefined)
      .reduce((sum, volume) => sum + volume.sizeBytes, 0);
    return { totalBytes: sizeBytes, freeBytes, volumeBytes, acceptsCreates: true };
  }

  /** Makes a copy of the metadata for vgcfgrestore, at most one per read of the free space instead of one per change. */
  private async backUp(): Promise<void> {
    if (!this.changed) return;
    this.changed = false;
    const answer = await this.shell.command(['vgcfgbackup', this.group]);
    if (answer.status === 0) return;
    this.changed = true;
    this.context.log.warn('the metadata of the volume group could not be copied', { group: this.group });
  }

  private async carryOut(args: string[], options?: LvmCommandOptions): Promise<LvmAnswer> {
    const answer = await this.shell.command(args, options);
    if (answer.status !== 0) throw lvmError(args, answer, this.group);
    return answer;
  }

  private async open(): Promise<void> {
    const { processes, log } = this.context;
    const devices = await prepareGroup(processes, this.options);
    const before = this.lvm;
    this.lvm = await openLvm(processes, log, { directory: this.options.directory, devices });
    await before?.close();
  }

  /** Reads the devices of the group again after it changed, unless storage_dev fixes them. */
  private async reopen(): Promise<void> {
    this.reopened ??= this.open().finally(() => {
      this.reopened = undefined;
    });
    await this.reopened;
  }

  /** Retries reads and setup, which cost little and whose callers do not retry. */
  private async retried<T>(work: () => Promise<T>): Promise<T> {
    return retry(() => this.reopening(work), {
      tries: this.options.numShellTries,
      isRetryable: (error) => !this.closed && error instanceof BlockstoreError && error.code === 'LvmInterrupted',
    });
  }

  /** Runs a verb once more when the disks of the group have changed; every verb is idempotent. */
  private async reopening<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isIncomplete = error instanceof BlockstoreError && error.code === 'GroupIncomplete';
      if (!isIncomplete || this.options.storageDev.length > 0) throw error;
      await this.reopen();
      return work();
    }
  }

  private fullName(volume: VolumeSpec): string {
    return `${this.group}/${lvName(volume)}`;
  }
}

function lvName(volume: VolumeSpec): string {
  return `volume-${volume.id}`;
}

/** Returns undefined for a logical volume that does not belong to blockstore. */
function volumeId({ name }: LogicalVolume): string | undefined {
  return /^volume-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name)?.[1];
}

function sameTags(tags: readonly string[], volume: VolumeSpec): boolean {
  const expected = tagsOf(volume);
  const ours = tags.filter((tag) => tag.startsWith(ourTag));
  return ours.length === expected.length && expected.every((tag) => ours.includes(tag));
}
