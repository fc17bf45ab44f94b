import type { Finding } from '../../check.ts';
import { retry } from '../../concurrency.ts';
import { usersOf } from '../../devices/users.ts';
import { BlockstoreError, errors } from '../../errors.ts';
import { type Capabilities, noCapabilities } from '../capabilities.ts';
import type {
  CreateOptions,
  CreatedVolume,
  DeleteOptions,
  DriverContext,
  DriverStats,
  FoundVolume,
  VolumeDriver,
  VolumeSpec,
} from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import { checkActivationLists } from './activation-lists.ts';
import { allocate } from './allocate.ts';
import { Changes } from './changes.ts';
import { Copies, unfinishedCopy } from './copies.ts';
import { ensureDeviceNode, isBlockDevice } from './device-node.ts';
import { leftElsewhere } from './elsewhere.ts';
import { wipeDevice } from './erase.ts';
import { extendTo } from './extend.ts';
import { extentProblem } from './extents.ts';
import { concernsGroup, failureOf, lvmError } from './failures.ts';
import { leftBehind, renamedTo } from './left-behind.ts';
import { LogicalVolumes } from './logical-volumes.ts';
import type { Lvm } from './lvm.ts';
import { OpenGroup } from './missing-disks.ts';
import { externalOrigin, obstaclesTo, readOnly, splitOff } from './obstacles.ts';
import type { LvmOptions, Parts } from './parts.ts';
import { type OneLogicalVolume, groupSpace, isRedundant } from './reports.ts';
import { LvmSnapshots } from './snapshots.ts';
import { copyIdOf } from './snapshot-tags.ts';
import { Pauses } from './pause.ts';
import { ThinPools } from './thin-pools.ts';
import { areTags, labelsIn, lvName, ourTag, tagChanges, tagsOf, volumeId } from './tags.ts';

export type { LvmOptions } from './parts.ts';

const activateAllTimeoutMs = 600_000;
const statsKeptMs = 1000;
/** Less than this does not hold the tags of another volume. */
const minMetadataBytes = 4096;

/** Stores volumes as logical volumes `volume-<id>` in one volume group, which can contain others as well. */
export class LvmDriver implements VolumeDriver {
  readonly name = 'lvm';
  readonly pool: string;
  readonly capabilities: Capabilities;
  private readonly options: LvmOptions;
  private readonly context: DriverContext;
  private readonly openGroup: OpenGroup;
  private readonly changes: Changes;
  private readonly parts: Parts;
  private readonly volumes: LogicalVolumes;
  private readonly copies: Copies;
  private readonly pauses: Pauses;
  readonly snapshots: LvmSnapshots;
  /** Settings of the host by which volumes are not usable; as of the last setup. */
  private restrictions: readonly Finding[] = [];
  /** As of the last read of the group's space: an administrator can change it. */
  private extentBytes = 0;
  private closed = false;
  private stated: { at: number; stats: Promise<DriverStats> } | undefined;

  constructor(options: LvmOptions, context: DriverContext) {
    this.options = options;
    this.pool = options.volumeGroup;
    const thin = options.lvmType === 'thin';
    this.capabilities = {
      ...noCapabilities,
      extend: true,
      snapshots: true,
      groupSnapshots: true,
      clones: true,
      images: true,
      migration: true,
      multiattach: true,
      thin,
    };
    this.context = context;
    this.openGroup = new OpenGroup(options, context);
    this.changes = new Changes(options.volumeGroup, this.openGroup, context);
    const { openGroup, changes } = this;
    const { processes } = context;
    const { backend } = context;
    const pools = new ThinPools({ options, openGroup, changes, backend });
    this.parts = { options, processes, openGroup, changes, pools, backend, retried: (work) => this.retried(work) };
    this.volumes = new LogicalVolumes(this.parts);
    this.copies = new Copies(this.parts, this.volumes, (volume, accept) => this.adopt(volume, accept));
    this.pauses = new Pauses({ processes, directory: options.directory });
    this.snapshots = new LvmSnapshots(this.parts, this.volumes, this.copies, this.pauses);
  }

  resumePaused(): Promise<void> {
    return this.pauses.resumeLeft();
  }

  async setup(): Promise<void> {
    this.closed = false;
    await this.resumePaused();
    await this.retried(() => this.openGroup.open());
    await this.retried(() => this.activateAll());
    await this.retried(() => this.parts.pools.prepare());
    const { extentBytes, tags } = await this.retried(() => groupSpace(this.shell, this.group));
    this.extentBytes = extentBytes;
    this.restrictions = await checkActivationLists(this.context.processes, this.group, tags);
    this.stated = undefined;
  }

  async createVolume(volume: VolumeSpec, options: CreateOptions = {}): Promise<CreatedVolume> {
    const isNew = await this.openGroup.reopening(() => this.create(volume, options));
    return { fields: {}, isNew, isBlank: isNew && this.capabilities.thin };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await this.retried(() => this.volumes.find(volume));
    if (found) this.volumes.refuseLost(volume, found);
    return (
      found !== undefined && found.active && found.sizeBytes >= volume.sizeBytes && areTags(found.tags, tagsOf(volume))
    );
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    if (await isBlockDevice(this.localPath(volume))) return;
    await this.retried(() => this.volumes.activate(volume));
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    await this.openGroup.reopening(async () => {
      const found = await this.volumes.changeable(volume);
      await extendTo(this.parts, this.volumes, volume, found);
      if (!found.active) await this.volumes.activate(volume);
    });
  }

  async cloneVolume(volume: VolumeSpec, source: VolumeSpec, options: CopyOptions = {}): Promise<CreatedVolume> {
    return this.openGroup.reopening(() => this.copies.make(volume, this.copies.sourceOf(volume, source), options));
  }

  async deleteVolume(volume: VolumeSpec, options: DeleteOptions = {}): Promise<void> {
    await this.openGroup.reopening(() => this.remove(volume, options));
  }

  localPath(volume: Pick<VolumeSpec, 'id'>): string {
    return `/dev/${this.group}/${lvName(volume)}`;
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.retried(async () => {
      await this.label(volume, await this.volumes.existing(volume));
    });
  }

  async whereabouts(volume: VolumeSpec): Promise<string | undefined> {
    const { volumes } = await this.retried(() => this.openGroup.content());
    return (
      renamedTo(volumes, this.group, volume) ?? (await leftElsewhere(this.context.processes, this.options, volume))
    );
  }

  async relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    return this.retried(() => this.volumes.relabelling(volume));
  }

  async listVolumes(): Promise<FoundVolume[]> {
    const { volumes } = await this.retried(() => this.openGroup.content());
    const found = volumes.map(async (volume) => {
      const id = volumeId(volume);
      if (id === undefined) return unfinishedCopy(volume);
      const isLost = volume.isPartial && !(isRedundant(volume) && (await isBlockDevice(this.localPath({ id }))));
      const unusable = isLost ? { unusable: `it is on a missing disk: UUID ${this.openGroup.missingNames}` } : {};
      return [{ id, sizeBytes: volume.sizeBytes, labels: labelsIn(volume.tags).labels, ...unusable }];
    });
    return (await Promise.all(found)).flat();
  }

  async stats(): Promise<DriverStats> {
    const now = performance.now();
    if (this.stated === undefined || now - this.stated.at > statsKeptMs) {
      this.stated = { at: now, stats: this.retried(() => this.space()) };
    }
    return this.stated.stats;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.openGroup.close();
  }

  private get group(): string {
    return this.options.volumeGroup;
  }

  private get shell(): Lvm {
    return this.openGroup.shell;
  }

  /** Returns whether the volume did not exist before. */
  private async create(volume: VolumeSpec, { signal, accept }: CreateOptions): Promise<boolean> {
    const restriction = await this.restriction();
    if (restriction) throw errors.groupInaccessible(this.group, restriction.message, restriction.hint ?? '');
    const tags = tagsOf(volume);
    // A full pool refuses a thin one before LVM says that it exists.
    if (this.parts.pools.forNew !== undefined && (await this.adopt(volume, accept))) return false;
    const { sizeBytes } = volume;
    const made = await allocate(this.parts, this.volumes, { name: lvName(volume), sizeBytes, tags, signal });
    const { args, answer } = made;
    if (answer.status === 0) return true;
    const failure = failureOf(answer);
    if (failure === 'exists' || failure === 'incomplete') {
      if (await this.adopt(volume, accept)) return false;
      if (failure === 'incomplete') throw await this.volumes.stillIncomplete();
      throw errors.lvmInterrupted('lvcreate', 'the volume existed, and exists no more');
    }
    // LVM gives no reason when its metadata area is full.
    const { metadataFreeBytes } = await groupSpace(this.shell, this.group);
    if (metadataFreeBytes < minMetadataBytes) throw errors.groupFull(this.group);
    throw lvmError(args, answer, this.group);
  }

  /** Why volumes that are created would not be usable. A group that is to be refused for its extents is read again. */
  private async restriction(): Promise<Finding | undefined> {
    const [restriction] = this.restrictions;
    if (restriction || extentProblem(this.group, this.extentBytes) === undefined) return restriction;
    this.extentBytes = (await groupSpace(this.shell, this.group)).extentBytes;
    return extentProblem(this.group, this.extentBytes);
  }

  /**
   * Checks and relabels what an earlier call created, possibly incompletely or for another address. Returns false where there is
   * nothing.
   */
  private async adopt(volume: VolumeSpec, accept: CreateOptions['accept']): Promise<boolean> {
    const found = await this.volumes.named(lvName(volume));
    if (found === undefined) return false;
    if (volumeId(found) !== volume.id) {
      throw errors.notLabelled(volume.id, this.fullName(volume), `lvrename ${this.fullName(volume)} other-name`);
    }
    accept?.(labelsIn(found.tags).labels);
    if (found.sizeBytes < volume.sizeBytes) throw errors.volumeExists(volume.id);
    this.volumes.refuseLost(volume, found);
    await this.label(volume, found);
    if (!found.active) await this.volumes.activate(volume);
    return true;
  }

  private async label(volume: VolumeSpec, found: OneLogicalVolume): Promise<void> {
    if (areTags(found.tags, tagsOf(volume))) return;
    if (found.missingDisks > 0) throw await this.volumes.stillIncomplete();
    const change = tagChanges(found.tags, tagsOf(volume));
    await this.changes.carryOut(['lvchange', ...change, this.fullName(volume)]);
  }

  /**
   * After a reboot no volume is active. One command activates all by tag, without those of others in the group. Without -K it leaves out
   * thin snapshots, which nothing reads; ensureVolume() activates a volume that is marked like them. LVM 2.03.16 can crash with -S.
   */
  private async activateAll(): Promise<void> {
    const args = ['lvchange', '-ay', '-y', `@${ourTag}`];
    const answer = await this.shell.command(args, { timeoutMs: activateAllTimeoutMs });
    if (answer.status === 0) return;
    if (concernsGroup(answer)) throw lvmError(args, answer, this.group);
    // The others are active then; ensureVolume() reports each that is not.
    const reason = answer.messages.slice(0, 3).join('; ');
    this.context.log.warn('LVM could not activate every volume of the group', { group: this.group, reason });
  }

  private async remove(volume: VolumeSpec, options: DeleteOptions): Promise<void> {
    const device = this.localPath(volume);
    const found = await this.removable(volume);
    if (!found) return this.refuseLeftBehind(volume, options);
    if (found.isThin && !options.unused) await this.parts.pools.refuseLeaks(found);
    if (!found.isThin && !options.unused) {
      if (found.readOnly) throw errors.volumeBusy(volume.id, readOnly(this.fullName(volume)));
      if (found.active) await ensureDeviceNode(this.shell, volume, device);
      else await this.volumes.activate(volume);
      await wipeDevice(this.parts, device, found.sizeBytes, options, (by) => errors.volumeBusy(volume.id, by));
      // Wiping takes long: somebody may have made a snapshot, which lvremove would remove as well.
      if (!(await this.removable(volume))) return this.refuseLeftBehind(volume, options);
    }
    const args = ['lvremove', '-y', this.fullName(volume)];
    const answer = await this.changes.command(args);
    const failure = failureOf(answer);
    if (answer.status === 0) return;
    if (failure === 'absent') return this.refuseLeftBehind(volume, options);
    if (failure === 'busy') throw errors.volumeBusy(volume.id, await usersOf(device));
    throw lvmError(args, answer, this.group);
  }

  /** A delete must not leave the volume's data behind under another name, or without its labels. Throws VolumeBusy. */
  private async refuseLeftBehind(volume: VolumeSpec, options: DeleteOptions): Promise<void> {
    let { volumes } = await this.openGroup.content();
    const unfinished = volumes.filter((one) => copyIdOf(one) === volume.id).map(({ name }) => name);
    if (await this.copies.discard(volume, unfinished, options)) ({ volumes } = await this.openGroup.content());
    const left =
      leftBehind(volumes, this.group, volume, options) ??
      (options.unused ? undefined : await leftElsewhere(this.context.processes, this.options, volume));
    if (left !== undefined) throw errors.volumeBusy(volume.id, left);
  }

  /** Returns undefined where there is nothing of ours. Throws VolumeBusy, GroupIncomplete. */
  private async removable(volume: VolumeSpec): Promise<OneLogicalVolume | undefined> {
    const found = await this.volumes.find(volume);
    if (!found) return undefined;
    const obstacles = obstaclesTo(found, this.fullName(volume));
    if (found.layout.includes('raid')) {
      const image = splitOff((await this.openGroup.content()).volumes, this.fullName(volume));
      if (image !== undefined) obstacles.push(image);
    }
    const outside = await this.volumes.externalOrigin(found);
    if (outside !== undefined) obstacles.push(externalOrigin(outside, this.fullName(volume)));
    if (found.open) obstacles.push(await usersOf(this.localPath(volume)));
    if (obstacles.length > 0) throw errors.volumeBusy(volume.id, obstacles.join('; '));
    if (found.missingDisks > 0) throw await this.volumes.stillIncomplete();
    return found;
  }

  private async space(): Promise<DriverStats> {
    const { sizeBytes, freeBytes, extentBytes, missingDisks, volumes } = await this.openGroup.content({
      isUrgent: true,
    });
    this.extentBytes = extentBytes;
    const volumeBytes = volumes
      .filter((volume) => volumeId(volume) !== undefined || unfinishedCopy(volume).length > 0)
      .reduce((sum, volume) => sum + volume.sizeBytes, 0);
    const thick = { totalBytes: sizeBytes, freeBytes, acceptsCreates: true };
    const figures = { ...((await this.parts.pools.stats(volumes, missingDisks)) ?? thick), volumeBytes };
    if (missingDisks > 0) return { ...figures, acceptsCreates: false, problem: this.openGroup.incomplete().message };
    await this.changes.backUp();
    const restriction = await this.restriction();
    if (restriction) return { ...figures, acceptsCreates: false, problem: restriction.message };
    return figures;
  }

  /** Retries reads and setup, which cost little and whose callers do not retry. */
  private async retried<T>(work: () => Promise<T>): Promise<T> {
    return retry(() => this.openGroup.reopening(work), {
      tries: this.options.numShellTries,
      isRetryable: (error) => !this.closed && error instanceof BlockstoreError && error.code === 'LvmInterrupted',
    });
  }

  private fullName(volume: VolumeSpec): string {
    return `${this.group}/${lvName(volume)}`;
  }
}
