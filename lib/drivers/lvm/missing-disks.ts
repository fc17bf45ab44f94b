import { BlockstoreError, asError, errors } from '../../errors.ts';
import type { DriverContext } from '../driver.ts';
import type { Group } from './group.ts';
import { readKnownUuid, writeKnownUuid } from './known-uuid.ts';
import { type Lvm, urgently } from './lvm.ts';
import { prepareGroup } from './new-group.ts';
import { openLvm } from './open.ts';
import { groupContent } from './reports.ts';

export interface GroupOptions {
  volumeGroup: string;
  /** Block devices of the group; LVM reads no others. Empty: the devices of the existing group. */
  storageDev: readonly string[];
  /** Whether to create a missing group on storageDev. */
  storageCreate: boolean;
  /** Directory of this driver for its LVM configuration. Created when it does not exist. */
  directory: string;
}

/** How often a group that lacks a disk is looked for anew. */
const reopenAfterMs = 5000;
const closed = 'the driver is not set up, or closed';

/**
 * The volume group with the disks that it has now. One that lacks a disk is served, but not changed; it is opened again when the disk
 * may be back.
 */
export class OpenGroup {
  private readonly options: GroupOptions;
  private readonly context: DriverContext;
  private lvm: Lvm | undefined;
  /** As of the last opening. */
  private disks: Group | undefined;
  private openedAt = 0;
  private triedAt = Number.NEGATIVE_INFINITY;
  private opening: Promise<void> | undefined;
  private isClosed = false;
  /** Of the last opening. */
  private failure: BlockstoreError | undefined;

  constructor(options: GroupOptions, context: DriverContext) {
    this.options = options;
    this.context = context;
  }

  /** Throws what keeps the group from being used, such as NoVolumeGroup. */
  async open(): Promise<void> {
    this.isClosed = false;
    await this.reopen();
  }

  private async tryToOpen(): Promise<void> {
    this.triedAt = performance.now();
    try {
      await this.find();
      this.failure = undefined;
    } catch (error) {
      this.failure = asError(error);
      throw error;
    }
  }

  private async find(): Promise<void> {
    const { processes, log } = this.context;
    const { directory } = this.options;
    const knownUuid = this.disks?.uuid ?? (await readKnownUuid(directory));
    const disks = await prepareGroup(processes, { ...this.options, knownUuid });
    const before = this.lvm;
    this.lvm = await openLvm(processes, log, { directory, devices: disks.devices });
    this.disks = disks;
    this.openedAt = performance.now();
    await before?.close();
    if (disks.uuid !== knownUuid) await writeKnownUuid(directory, disks.uuid);
  }

  /** An opening that is under way ends first: it would leave a shell behind. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.opening?.catch(() => {}); // its caller has the error
    const { lvm } = this;
    this.lvm = undefined;
    await lvm?.close();
  }

  /** Throws LvmInterrupted while it is closed. */
  get shell(): Lvm {
    if (this.lvm === undefined) throw errors.lvmInterrupted('lvm', closed);
    return this.lvm;
  }

  /** The group's figures and volumes. A group that lacks a disk is first looked for again: the disk may be back. */
  async content({ isUrgent = false } = {}) {
    const { volumeGroup } = this.options;
    const read = () => groupContent(isUrgent ? urgently(this.shell) : this.shell, volumeGroup);
    const content = await read();
    if (content.missingDisks === 0) return content;
    if (this.lacksDisks && performance.now() - this.openedAt < reopenAfterMs) return content;
    await this.reopen();
    return read();
  }

  /**
   * Runs a verb once more when the disks of the group have changed; every verb is idempotent. Where the group is gone, its only
   * disk may be back under another name: otherwise the error says why it is not found.
   */
  async reopening<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isGone = error instanceof BlockstoreError && error.code === 'NoVolumeGroup' && this.disks !== undefined;
      if (isGone) {
        if (performance.now() - this.triedAt >= reopenAfterMs) await this.reopen().catch(() => {});
        if (this.failure) throw this.failure;
        return work();
      }
      const isIncomplete = error instanceof BlockstoreError && error.code === 'GroupIncomplete';
      if (!isIncomplete) throw error;
      await this.reopen();
      if (this.lacksDisks) throw error;
      return work();
    }
  }

  /** The UUIDs of the disks that are missing. */
  get missingNames(): string {
    return this.disks?.missing.map(({ uuid }) => uuid).join(', ') || 'unknown';
  }

  /** Why nothing in the group may be changed now: LVM would write down that the disk is missing, also once it is back. */
  incomplete(): BlockstoreError {
    const { volumeGroup } = this.options;
    const marked = this.disks?.missing.find(({ device }) => device !== undefined);
    if (marked?.device !== undefined) return errors.diskMarkedMissing(volumeGroup, marked.device, marked.uuid);
    return errors.groupIncomplete(volumeGroup, `UUID ${this.missingNames}`);
  }

  private get lacksDisks(): boolean {
    return this.disks?.missing.length !== 0;
  }

  /** Reads the disks of the group again after they changed. */
  private async reopen(): Promise<void> {
    if (this.isClosed) throw errors.lvmInterrupted('lvm', closed);
    this.opening ??= this.tryToOpen().finally(() => {
      this.opening = undefined;
    });
    await this.opening;
  }
}
