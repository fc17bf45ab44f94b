import { errors } from '../../errors.ts';
import type { CreateOptions, CreatedVolume, DeleteOptions, FoundVolume, VolumeSpec } from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import { allocate } from './allocate.ts';
import { copyData } from './copy.ts';
import { erase } from './erase.ts';
import { extendTo } from './extend.ts';
import { lvmError } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import type { LogicalVolume, OneLogicalVolume } from './reports.ts';
import { copyIdOf, copyName, copyTag, copyTags, finishingTags, isCopied, sourceName } from './snapshot-tags.ts';
import { areTags, labelsIn, lvName, ourTag, tagChanges, tagsOf } from './tags.ts';
import { takeSnapshot, takeThinSnapshot, unusableReason } from './take-snapshot.ts';

/** What a volume is copied from. Each can be repeated. */
export interface CopySource {
  /** Returns the LV that has the data. */
  find(): Promise<OneLogicalVolume>;
  /** Returns a device whose data does not change. `isNew`: nothing has been copied yet. */
  open(): Promise<{ device: string; sizeBytes: number }>;
  /** Throws when what was read since is not the data of that moment. */
  check(): Promise<void>;
  /** Removes what the copy alone needed. */
  close(): Promise<void>;
}

/**
 * Makes volumes from others: full copies, or thin volumes that share the blocks of one in their pool. Until its data is whole a copy is
 * a logical volume of another name and with a tag of its own, which no verb takes for a volume: `copy-<id>`. A copy that was interrupted
 * is begun again, or removed, by the next call.
 */
export class Copies {
  private readonly parts: Parts;
  private readonly volumes: LogicalVolumes;
  /** Relabels a whole volume of an earlier call; returns false where there is none. */
  private readonly adopt: (volume: VolumeSpec, accept: CreateOptions['accept']) => Promise<boolean>;

  constructor(parts: Parts, volumes: LogicalVolumes, adopt: Copies['adopt']) {
    this.parts = parts;
    this.volumes = volumes;
    this.adopt = adopt;
  }

  async make(volume: VolumeSpec, source: CopySource, options: CopyOptions): Promise<CreatedVolume> {
    if (await this.adopt(volume, options.accept)) return { fields: {}, isNew: false };
    const name = copyName(volume);
    const fullName = this.volumes.fullName(name);
    const found = await this.volumes.named(name);
    if (found && copyIdOf(found) !== volume.id) {
      throw errors.notLabelled(volume.id, fullName, `lvrename ${fullName} other-name`);
    }
    if (found) options.accept?.(labelsIn(found.tags).labels);
    if (found && isCopied(volume, found.tags)) await this.complete(volume, found);
    else await this.fill(volume, source, found, options);
    await source.close();
    await this.parts.changes.carryOut(['lvrename', this.parts.options.volumeGroup, name, lvName(volume)]);
    return { fields: {}, isNew: true };
  }

  /** Returns a snapshot of the volume `from` that is there for the copy alone. */
  sourceOf(volume: VolumeSpec, from: VolumeSpec): CopySource {
    const name = sourceName(volume);
    const usable = async () => {
      const found = await this.volumes.named(name);
      if (!found || copyIdOf(found) !== volume.id) return undefined;
      return unusableReason(found) === undefined && found.origin === lvName(from) ? found : undefined;
    };
    return {
      find: () => this.volumes.changeable(from),
      open: async () => {
        const origin = await this.volumes.changeable(from);
        if (!(await usable())) {
          await this.discard(volume, [name]);
          await takeSnapshot(this.parts, this.volumes, origin, {
            volumeId: from.id,
            name,
            tags: [ourTag, copyTag(volume)],
          });
        }
        const found = await usable();
        if (!found) throw errors.lvmInterrupted('lvcreate', `${name} existed, and cannot be used any more`);
        const device = await this.volumes.activeDevice(from.id, name, found);
        return { device, sizeBytes: found.deviceBytes ?? found.sizeBytes };
      },
      check: async () => {
        if (!(await usable()))
          throw errors.lvmInterrupted(
            'the copy',
            `more of volume ${from.id} was overwritten than ${name} has room for`,
          );
      },
      close: async () => {
        await this.discard(volume, [name]);
      },
    };
  }

  /** Wipes and removes what an interrupted copy left. Returns whether there was anything. Throws VolumeBusy. */
  async discard(volume: Pick<VolumeSpec, 'id'>, names: readonly string[], options?: DeleteOptions): Promise<boolean> {
    let discarded = false;
    for (const name of names) {
      const found = await this.volumes.named(name);
      if (!found || copyIdOf(found) !== volume.id) continue;
      await erase(this.parts, this.volumes, found, (by) => errors.volumeBusy(volume.id, by), options);
      discarded = true;
    }
    return discarded;
  }

  /** What an interrupted call left has all the data, but may have another size, and the labels of that call. */
  private async complete(volume: VolumeSpec, found: OneLogicalVolume): Promise<void> {
    await extendTo(this.parts, this.volumes, volume, found);
    const tags = tagsOf(volume);
    if (areTags(found.tags, tags)) return;
    await this.parts.changes.carryOut(['lvchange', ...tagChanges(found.tags, tags), this.volumes.fullName(found.name)]);
  }

  private async fill(
    volume: VolumeSpec,
    source: CopySource,
    earlier: OneLogicalVolume | undefined,
    options: CopyOptions,
  ): Promise<void> {
    const origin = await source.find();
    if (this.parts.pools.canShare(origin)) return this.share(volume, origin);
    await this.copy(volume, source, earlier, options);
    const fullName = this.volumes.fullName(copyName(volume));
    await this.parts.changes.carryOut(['lvchange', ...finishingTags(volume), fullName]);
  }

  /** The data is whole at once, so it has the tags of the volume, but not yet its size and name. */
  private async share(volume: VolumeSpec, origin: OneLogicalVolume): Promise<void> {
    const name = copyName(volume);
    await this.discard(volume, [name]);
    await takeThinSnapshot(this.parts, this.volumes, origin, { name, tags: tagsOf(volume), activation: ['-kn'] });
    const made = await this.volumes.named(name);
    if (!made) throw errors.lvmInterrupted('lvcreate', `${name} existed, and exists no more`);
    await extendTo(this.parts, this.volumes, volume, made).catch(async (error: unknown) => {
      await this.discard(volume, [name]);
      throw error;
    });
  }

  private async copy(
    volume: VolumeSpec,
    source: CopySource,
    earlier: OneLogicalVolume | undefined,
    options: CopyOptions,
  ): Promise<void> {
    const { changes, processes } = this.parts;
    const name = copyName(volume);
    if (!earlier) await this.allocate(volume, name);
    else await extendTo(this.parts, this.volumes, volume, earlier);
    const opened = await source.open().catch(async (error: unknown) => {
      // Nothing of the source is in it: it need not be wiped.
      if (!earlier) await changes.carryOut(['lvremove', '-y', this.volumes.fullName(name)]);
      throw error;
    });
    const target = await this.volumes.named(name);
    if (!target) throw errors.lvmInterrupted('lvcreate', `${name} existed, and exists no more`);
    const device = await this.volumes.activeDevice(volume.id, name, target);
    const sizeBytes = Math.min(opened.sizeBytes, target.sizeBytes);
    try {
      await copyData(processes, opened.device, device, sizeBytes, options);
    } catch (error) {
      // The reason why the source cannot be read says more.
      if (!options.signal?.aborted) await source.check();
      throw error;
    }
    await source.check();
  }

  private async allocate(volume: VolumeSpec, name: string): Promise<void> {
    const { sizeBytes } = volume;
    const { args, answer } = await allocate(this.parts, this.volumes, { name, sizeBytes, tags: copyTags(volume) });
    if (answer.status !== 0) throw lvmError(args, answer, this.parts.options.volumeGroup);
  }
}

/** The copy as it is listed, if the LV is one. */
export function unfinishedCopy(found: LogicalVolume): FoundVolume[] {
  const id = copyIdOf(found);
  if (id === undefined || found.name !== copyName({ id })) return [];
  const { labels } = labelsIn(found.tags);
  return [{ id, sizeBytes: found.sizeBytes, labels, unusable: 'it is a copy whose data is not complete' }];
}
