import { type BlockstoreError, errors } from '../../errors.ts';
import type { VolumeSpec } from '../driver.ts';
import { ensureDeviceNode, isBlockDevice } from './device-node.ts';
import { failureOf, lvmError } from './failures.ts';
import { relabelCommand } from './left-behind.ts';
import type { LvmAnswer } from './lvm.ts';
import type { Parts } from './parts.ts';
import { type OneLogicalVolume, isRedundant, logicalVolumes, oneLogicalVolume } from './reports.ts';
import { lvName, volumeId } from './tags.ts';

/** Finds and activates logical volumes of the group. */
export class LogicalVolumes {
  private readonly parts: Parts;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** Returns the LV of that name, whoever made it. */
  async named(name: string): Promise<OneLogicalVolume | undefined> {
    const found = await oneLogicalVolume(this.parts.openGroup.shell, this.group, name);
    return found?.isThin ? { ...found, dependants: await this.outsideOfPool(found) } : found;
  }

  /** Returns the external origin of a thin volume; undefined where all its data is in its pool. */
  async externalOrigin({ isThin, origin, pool }: OneLogicalVolume): Promise<string | undefined> {
    if (!isThin || origin === '') return undefined;
    const found = await oneLogicalVolume(this.parts.openGroup.shell, this.group, origin);
    return found && found.pool !== pool ? origin : undefined;
  }

  /**
   * Returns which of the dependants of a thin volume need it: thick snapshots, and thin volumes of other pools. LVM removes them with it;
   * those of its own pool stay.
   */
  private async outsideOfPool({ name, pool, roles }: OneLogicalVolume): Promise<string[]> {
    if (!roles.includes('thickorigin') && !roles.includes('extthinorigin')) return [];
    const all = await logicalVolumes(this.parts.openGroup.shell, this.group);
    return all.filter((one) => one.origin === name && one.pool !== pool).map((one) => one.name);
  }

  /** Returns the volume's LV; undefined where there is none, or one that somebody else made. */
  async find(volume: Pick<VolumeSpec, 'id'>): Promise<OneLogicalVolume | undefined> {
    const found = await this.named(lvName(volume));
    return found && volumeId(found) === volume.id ? found : undefined;
  }

  /** Throws StorageMissing. */
  async existing(volume: VolumeSpec): Promise<OneLogicalVolume> {
    const found = await this.find(volume);
    if (!found) throw errors.storageMissing(volume.id, this.devicePath(lvName(volume)), await this.relabelling(volume));
    return found;
  }

  /** The same for a volume that is to be changed. Throws DiskMissing, GroupIncomplete as well. */
  async changeable(volume: VolumeSpec): Promise<OneLogicalVolume> {
    const found = await this.existing(volume);
    this.refuseLost(volume, found);
    if (found.missingDisks > 0) throw await this.stillIncomplete();
    return found;
  }

  async relabelling(volume: VolumeSpec): Promise<string | undefined> {
    const found = await this.named(lvName(volume));
    return found && relabelCommand(found, this.group);
  }

  /** Throws DiskMissing for one that lacks a part of its data. */
  refuseLost(volume: VolumeSpec, found: OneLogicalVolume): void {
    if (!found.isPartial || (found.active && isRedundant(found))) return;
    throw errors.diskMissing(volume.id, this.group, this.parts.openGroup.missingNames);
  }

  /** After a look at the disks. */
  async stillIncomplete(): Promise<BlockstoreError> {
    await this.parts.openGroup.content();
    return this.parts.openGroup.incomplete();
  }

  async activate(volume: VolumeSpec): Promise<void> {
    await this.activateNamed(volume.id, lvName(volume));
  }

  /** `id`: of the volume that the LV has the data of, for errors. */
  async activateNamed(id: string, name: string): Promise<void> {
    const { openGroup } = this.parts;
    // LVM asks before it activates a snapshot, whose volume it activates as well; the shell would wait for an answer.
    const args = ['lvchange', '-ay', '-y', '-K', this.fullName(name)];
    const answer = await openGroup.shell.command(args);
    const failure = answer.status === 0 ? undefined : failureOf(answer);
    if (failure === 'absent') throw errors.storageMissing(id, this.devicePath(name));
    if (failure === 'incomplete') {
      await openGroup.content();
      throw errors.diskMissing(id, this.group, openGroup.missingNames);
    }
    if (failure !== undefined) throw lvmError(args, answer, this.group);
    if (!(await this.named(name))?.active) throw errors.notActivated(id, this.fullName(name));
    await ensureDeviceNode(openGroup.shell, { id }, this.devicePath(name));
  }

  /** Returns the device of an LV, which is active then. */
  async activeDevice(id: string, name: string, found: Pick<OneLogicalVolume, 'active'>): Promise<string> {
    const device = this.devicePath(name);
    if (!found.active) await this.activateNamed(id, name);
    else if (!(await isBlockDevice(device))) await ensureDeviceNode(this.parts.openGroup.shell, { id }, device);
    return device;
  }

  /** Returns the error for a command that LVM refused because the group has too little space. */
  async noSpace(neededBytes: number, refusal: LvmAnswer): Promise<BlockstoreError> {
    const { freeBytes } = await this.parts.openGroup.content();
    if (freeBytes >= neededBytes) return errors.notAllocatable(this.group, freeBytes, refusal.messages.join('; '));
    return this.lacking(neededBytes, freeBytes);
  }

  lacking(neededBytes: number, freeBytes: number): BlockstoreError {
    return errors.noSpace(`volume group ${this.group}`, neededBytes, freeBytes);
  }

  devicePath(name: string): string {
    return `/dev/${this.group}/${name}`;
  }

  fullName(name: string): string {
    return `${this.group}/${name}`;
  }

  private get group(): string {
    return this.parts.options.volumeGroup;
  }
}
