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
  /** Block devices of the group; LVM looks at no other. Empty: the ones that the group has. */
  storageDev: readonly string[];
  /** Whether to make the group on storageDev when it is not there. */
  storageCreate: boolean;
  volumeClear: VolumeClear;
  volumeClearMiBps: number;
  /** Attempts of what only reads or may be repeated at no cost. The engine retries creations and deletions. */
  numShellTries: number;
  /** A directory of this driver alone, for its LVM configuration. Created when it does not exist. */
  directory: string;
}

const activateAllTimeoutMs = 600_000;
const statsKeptMs = 1000;
/** Less than this is not enough for the tags of one more volume. */
const leastMetadataBytes = 4096;

/** Volumes are logical volumes named `volume-<id>` in one volume group, which may hold others' as well. */
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
    // After a reboot nothing is active. By tag: one command for all, and what others keep in the group is left alone.
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

  /** Whether it was not there before. */
  private async create(volume: VolumeSpec, signal: AbortSignal | undefined): Promise<boolean> {
    const tags = tagsOf(volume).flatMap((tag) => ['--addtag', tag]);
    const size = ['-L', `${volume.sizeBytes}b`];
    // -Z: the first 4 KiB are zeroed, so that no file system of an earlier age of the disk appears in a new volume. Looking
    // for signatures elsewhere (-W) takes a third of the whole command.
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
    if (metadataFreeBytes < leastMetadataBytes) throw errors.groupFull(this.group);
    throw lvmError(args, answer, this.group);
  }

  /** What an earlier call made, perhaps not to its end, or for another address. */
  private async adopt(volume: VolumeSpec): Promise<void> {
    const found = await oneLogicalVolume(this.shell, this.group, lvName(volume));
    if (found === undefined) throw errors.lvmInterrupted('lvcreate', 'the volume was there, and is there no more');
    const { id } = labelsIn(found.tags);
    if ((id !== undefined && id !== volume.id) || found.sizeBytes < volume.sizeBytes)
      throw errors.volumeExists(volume.id);
    if (!sameTags(found.tags, volume)) {
      const wanted = new Set(tagsOf(volume));
      const old = found.tags.filter((tag) => tag.startsWith(ourTag) && !wanted.has(tag));
      const change = [...old.flatMap((tag) => ['--deltag', tag]), ...[...wanted].flatMap((tag) => ['--addtag', tag])];
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

  /** A copy of the metadata for vgcfgrestore, at most one for each look at the space: LVM's own way is one at each change. */
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

  /** The group has other disks than it had: where storage_dev leaves that to the group, they are looked up again. */
  private async reopen(): Promise<void> {
    this.reopened ??= this.open().finally(() => {
      this.reopened = undefined;
    });
    await this.reopened;
  }

  /** Reads and setup: repeating them costs little, and their callers have no retry of their own. */
  private async retried<T>(work: () => Promise<T>): Promise<T> {
    return retry(() => this.reopening(work), {
      tries: this.options.numShellTries,
      isRetryable: (error) => !this.closed && error instanceof BlockstoreError && error.code === 'LvmInterrupted',
    });
  }

  /** Every verb looks before it acts or takes "already so" for success: one that met other disks than before runs once more. */
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

/** Undefined for a logical volume that is not ours. */
function volumeId({ name }: LogicalVolume): string | undefined {
  return /^volume-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name)?.[1];
}

function sameTags(tags: readonly string[], volume: VolumeSpec): boolean {
  const wanted = tagsOf(volume);
  const ours = tags.filter((tag) => tag.startsWith(ourTag));
  return ours.length === wanted.length && wanted.every((tag) => ours.includes(tag));
}
