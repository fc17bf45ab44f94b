import { errors } from '../../errors.ts';
import type { CreatedVolume, DeleteOptions, VolumeSpec } from '../driver.ts';
import { type OpenData, localData } from '../open-data.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../snapshots.ts';
import type { Copies, CopySource } from './copies.ts';
import { erase } from './erase.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import { isSuspended } from './obstacles.ts';
import type { Parts } from './parts.ts';
import type { Pauses } from './pause.ts';
import { type OneLogicalVolume, logicalVolumes } from './reports.ts';
import { snapshotIn, snapshotName, snapshotTags } from './snapshot-tags.ts';
import { snapshotRoom } from './snapshot-room.ts';
import { areTags, lvName, tagChanges } from './tags.ts';
import { isSnapshot, takeSnapshot, unusableReason } from './take-snapshot.ts';
import { takeTogether } from './take-together.ts';

/** Snapshots as logical volumes `snap-<id>`. */
export class LvmSnapshots implements Snapshots {
  private readonly parts: Parts;
  private readonly volumes: LogicalVolumes;
  private readonly copies: Copies;
  private readonly pauses: Pauses;

  constructor(parts: Parts, volumes: LogicalVolumes, copies: Copies, pauses: Pauses) {
    this.parts = parts;
    this.volumes = volumes;
    this.copies = copies;
    this.pauses = pauses;
  }

  async createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    await this.parts.openGroup.reopening(() => this.create(snapshot));
  }

  async createSnapshots(snapshots: readonly SnapshotSpec[]): Promise<void> {
    await this.parts.openGroup.reopening(() => this.createAll(snapshots));
  }

  async hasSnapshot(snapshot: SnapshotSpec): Promise<boolean> {
    const found = await this.parts.retried(() => this.find(snapshot));
    return found !== undefined && unusableReason(found) === undefined && areTags(found.tags, snapshotTags(snapshot));
  }

  async labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    await this.parts.openGroup.reopening(async () => {
      const tags = snapshotTags(snapshot);
      const found = await this.find(snapshot);
      if (!found) throw errors.snapshotMissing(snapshot.id, this.volumes.devicePath(snapshotName(snapshot)));
      await this.retag(found, tags);
    });
  }

  async deleteSnapshot(snapshot: SnapshotSpec, options: DeleteOptions = {}): Promise<void> {
    await this.parts.openGroup.reopening(async () => {
      const found = await this.find(snapshot);
      if (!found) return this.refuseLeftBehind(snapshot);
      await erase(this.parts, this.volumes, found, (by) => errors.snapshotBusy(snapshot.id, by), options);
    });
  }

  async openSnapshot(snapshot: SnapshotSpec): Promise<OpenData> {
    return this.parts.openGroup.reopening(async () => {
      const found = await this.usable(snapshot);
      return localData(await this.volumes.activeDevice(snapshot.id, found.name, found));
    });
  }

  async refuseOverwrite({ id }: VolumeSpec): Promise<void> {
    const { openGroup, options } = this.parts;
    const all = await this.parts.retried(() => logicalVolumes(openGroup.shell, options.volumeGroup));
    const origin = all.find(({ name }) => name === lvName({ id }));
    if (!origin) return;
    const least = snapshotRoom(origin.sizeBytes, 100);
    const small = all.flatMap((one) => {
      const isSmall = one.isThickSnapshot && one.origin === origin.name && !one.isOverflowed && one.sizeBytes < least;
      return isSmall ? [snapshotIn(one)?.id ?? one.name] : [];
    });
    if (small.length > 0) throw errors.snapshotRoomTooSmall(id, small);
  }

  async listSnapshots(): Promise<FoundSnapshot[]> {
    const { openGroup, options } = this.parts;
    const all = await this.parts.retried(() => logicalVolumes(openGroup.shell, options.volumeGroup));
    return all.flatMap((one) => {
      const found = snapshotIn(one);
      if (!found) return [];
      const unusable = unusableReason(one);
      return [unusable === undefined ? found : { ...found, unusable }];
    });
  }

  async createFromSnapshot(
    volume: VolumeSpec,
    snapshot: SnapshotSpec,
    options: CopyOptions = {},
  ): Promise<CreatedVolume> {
    const source: CopySource = {
      find: () => this.usable(snapshot),
      open: async () => {
        const found = await this.usable(snapshot);
        const device = await this.volumes.activeDevice(snapshot.id, found.name, found);
        return { device, sizeBytes: found.deviceBytes ?? found.sizeBytes };
      },
      check: async () => {
        await this.usable(snapshot);
      },
      close: async () => {},
    };
    return this.parts.openGroup.reopening(() => this.copies.make(volume, source, options));
  }

  /** Returns the snapshot's LV; undefined where there is none, or one that somebody else made. */
  private async find({ id }: Pick<SnapshotSpec, 'id'>): Promise<OneLogicalVolume | undefined> {
    const found = await this.volumes.named(snapshotName({ id }));
    return found && snapshotIn(found)?.id === id ? found : undefined;
  }

  /** Throws SnapshotMissing, SnapshotUnusable. */
  private async usable(snapshot: SnapshotSpec): Promise<OneLogicalVolume> {
    const found = await this.find(snapshot);
    if (!found) throw errors.snapshotMissing(snapshot.id, this.volumes.devicePath(snapshotName(snapshot)));
    const unusable = unusableReason(found);
    if (unusable !== undefined) throw errors.snapshotUnusable(snapshot.id, unusable);
    return found;
  }

  /** What is in the way of a new one is removed. */
  private async createAll(snapshots: readonly SnapshotSpec[]): Promise<void> {
    const members = [];
    for (const snapshot of snapshots) {
      const { id: volumeId } = snapshot.volume;
      const [tags, name] = [snapshotTags(snapshot), snapshotName(snapshot)];
      const origin = await this.volumes.changeable(snapshot.volume);
      if (origin.suspended) throw errors.volumeBusy(volumeId, isSuspended(this.volumes.fullName(origin.name)));
      const found = await this.named(snapshot, name);
      if (found) await erase(this.parts, this.volumes, found, (by) => errors.snapshotBusy(snapshot.id, by));
      members.push({ origin, volumeId, name, tags });
    }
    await takeTogether(this.parts, this.volumes, this.pauses, members);
  }

  /** The LV of that name, which is the snapshot's. Throws SnapshotBusy. */
  private async named({ id }: SnapshotSpec, name: string): Promise<OneLogicalVolume | undefined> {
    const found = await this.volumes.named(name);
    if (found && snapshotIn(found)?.id !== id) throw errors.snapshotBusy(id, this.notLabelled(name));
    return found;
  }

  private async create(snapshot: SnapshotSpec): Promise<void> {
    const tags = snapshotTags(snapshot);
    const name = snapshotName(snapshot);
    const origin = await this.volumes.changeable(snapshot.volume);
    const found = await this.named(snapshot, name);
    if (found && isSnapshot(found)) {
      const unusable = unusableReason(found);
      if (unusable !== undefined) throw errors.snapshotUnusable(snapshot.id, unusable);
      await this.retag(found, tags);
      return;
    }
    if (found) await erase(this.parts, this.volumes, found, (by) => errors.snapshotBusy(snapshot.id, by));
    await takeSnapshot(this.parts, this.volumes, origin, { volumeId: snapshot.volume.id, name, tags });
  }

  private async retag({ name, tags }: OneLogicalVolume, expected: readonly string[]): Promise<void> {
    if (areTags(tags, expected)) return;
    await this.parts.changes.carryOut(['lvchange', ...tagChanges(tags, expected), this.volumes.fullName(name)]);
  }

  /** A delete must not leave the snapshot's data behind under another name, or without its labels. Throws SnapshotBusy. */
  private async refuseLeftBehind({ id }: SnapshotSpec): Promise<void> {
    const name = snapshotName({ id });
    const { volumes } = await this.parts.openGroup.content();
    const group = this.parts.options.volumeGroup;
    if (volumes.some((one) => one.name === name)) throw errors.snapshotBusy(id, this.notLabelled(name));
    const renamed = volumes.find((one) => snapshotIn({ ...one, name })?.id === id);
    if (!renamed) return;
    const undo = `lvrename ${group} ${renamed.name} ${name}`;
    throw errors.snapshotBusy(id, `its logical volume was renamed to ${renamed.name}; to undo that: ${undo}`);
  }

  private notLabelled(name: string): string {
    const fullName = this.volumes.fullName(name);
    return `${fullName} exists and is not labelled as a snapshot of blockstore; if it is in the way: lvrename ${fullName} other-name`;
  }
}
