import { randomUUID } from 'node:crypto';
import { asError, errors } from '../errors.ts';
import { backendId } from '../models/backend.ts';
import { checkText } from '../models/check-text.ts';
import { type GroupState, parseGroup } from '../models/group-state.ts';
import { groupsOf, volumesOfGroup } from '../models/group.ts';
import { isId } from '../models/id.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { editOf, isAllowed, withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { checkChanges } from './describe.ts';
import { firstDifference } from './differences.ts';
import { groupPlace, hasGroupChanged } from './group-place.ts';
import { maxChanges, refusal } from './start-task.ts';
import type { SendOptions, VolumeCommands } from './volume-commands.ts';

export interface NewGroup {
  /** Given by a requester that may ask twice. */
  id?: string;
  name?: string;
  description?: string;
  /** The id of its type. */
  type?: string;
  /** The ids of the types that its volumes can have; none: any. */
  volumeTypes?: readonly string[];
  userId: string;
  projectId: string;
}

/** What a group says; what is not given stays as it is. */
export interface GroupChanges {
  /** '': none. */
  name?: string;
  /** '': none. */
  description?: string;
  /** Ids of volumes. */
  add?: readonly string[];
  remove?: readonly string[];
}

/** Commands on groups of volumes, by their ids. Groups are in Redis alone: none of these needs a node. */
export class GroupCommands {
  private readonly store: Store;
  private readonly commands: VolumeCommands;

  constructor(store: Store, commands: VolumeCommands) {
    this.store = store;
    this.commands = commands;
  }

  /** Makes an empty group. A repeated request with the same id has one effect. Throws InvalidArgument, GroupExists, TypeNotFound, GroupTypeNotFound. */
  async create({
    id = randomUUID(),
    name = '',
    description = '',
    userId,
    projectId,
    ...more
  }: NewGroup): Promise<GroupState> {
    const { type = '', volumeTypes = [] } = more;
    if (!isId(id)) throw errors.invalidArgument('id', id, 'a UUID in lower case');
    checkChanges({ name, description });
    const { set } = withoutEmpty({
      name: name.normalize('NFC'),
      description: description.normalize('NFC'),
      userId: checkText('userId', userId),
      projectId: checkText('projectId', projectId),
      type,
      volumeTypes: volumeTypes.join(','),
    });
    const ofTypes: Edit[] = [
      ...(type === '' ? [] : [{ kind: 'group-type', id: type } as const]),
      ...volumeTypes.map((one) => ({ kind: 'type', id: one }) as const),
    ];
    const outcome = await commit(this.store, {
      edits: [{ kind: 'group', id, insert: true, set, stamp: ['createTime'] }, ...ofTypes],
      event: 'group.create',
      returns: true,
    });
    if (outcome.word === 'ok') return parseGroup(id, outcome.records[0] ?? {});
    const lost = outcome.word === 'absent' ? ofTypes[outcome.edit - 1] : undefined;
    if (lost) throw lost.kind === 'type' ? errors.typeNotFound(lost.id) : errors.groupTypeNotFound(lost.id);
    const found = await groupsOf(this.store).lookup(id);
    const difference = firstDifference([
      ['name', found.name, set['name'] ?? ''],
      ['user', found.userId, set['userId']],
      ['project', found.projectId, set['projectId']],
    ]);
    if (difference !== undefined) throw errors.groupExists(id, difference);
    return found;
  }

  /**
   * Throws GroupNotFound, InvalidArgument; of volumes to be added VolumeNotFound, VolumeInGroup, TooManyInGroup, GroupOnOtherBackend,
   * GroupOfOtherProject, GroupTypeDiffers, WrongStatus; of those to be removed VolumeNotInGroup. What was changed before stays so.
   */
  async update(id: string, changes: GroupChanges): Promise<GroupState> {
    const { name, description, add = [], remove = [] } = changes;
    const described = {
      ...(name === undefined ? {} : { name: name.normalize('NFC') }),
      ...(description === undefined ? {} : { description: description.normalize('NFC') }),
    };
    checkChanges(described);
    await groupsOf(this.store).lookup(id);
    for (const volume of remove) await this.remove(id, volume);
    for (const volume of add) await this.add(id, volume);
    if (Object.keys(described).length === 0) return groupsOf(this.store).lookup(id);
    const outcome = await commit(this.store, {
      edits: [{ kind: 'group', id, ...withoutEmpty(described) }],
      event: 'group.update',
    });
    if (outcome.word !== 'ok') throw errors.groupNotFound(id);
    return groupsOf(this.store).lookup(id);
  }

  /**
   * Deletes a group; with `volumes` its volumes as well, each of which leaves it when its deletion begins. An interrupted call is
   * repeated. Throws GroupNotFound, GroupHasVolumes, GroupHasSnapshots, and of a volume what VolumeCommands.delete() throws, before any of them is deleted
   * where that is known then.
   */
  async delete(id: string, { volumes: withVolumes = false, ...options }: SendOptions & { volumes?: boolean } = {}) {
    await groupsOf(this.store).lookup(id);
    const volumes = await volumesOfGroup(this.store, id);
    if (volumes.length > 0 && !withVolumes) throw this.hasVolumes(id, volumes);
    await this.refuseSnapshots(id);
    for (const volume of volumes) await this.refuseNeeded(volume);
    for (const volume of volumes) await this.commands.delete(volume.id, { withGroup: true });
    const outcome = await commit(this.store, {
      conditions: [
        { is: 'empty', key: `group:${id}:volumes` },
        { is: 'empty', key: `group:${id}:group-snapshots` },
      ],
      edits: [{ kind: 'group', id, remove: true, optional: true }],
      event: 'group.delete',
    });
    if (outcome.word === 'condition') await this.refuseSnapshots(id);
    if (outcome.word === 'condition') throw this.hasVolumes(id, await volumesOfGroup(this.store, id));
    if (options.deadlineMs === undefined) return;
    await Promise.all(volumes.map((volume) => this.deletionEnd(volume.id, options)));
  }

  private async add(id: string, volumeId: string): Promise<void> {
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(volumeId);
      if (volume.group === id) return;
      if (volume.group !== '') throw errors.volumeInOtherGroup(volumeId, volume.group);
      if (!isAllowed('joinGroup', volume)) throw await refusal(this.store, volume, 'joinGroup');
      const { projectId, node, backend, type } = volume;
      const { place, conditions, edits } = await groupPlace(this.store, id, volume);
      const other = backendId(node, backend);
      if (place !== undefined && place !== other) throw errors.groupOnOtherBackend(id, volumeId, { own: place, other });
      const outcome = await commit(this.store, {
        conditions,
        edits: [
          editOf(volume, 'joinGroup', { set: { group: id }, expect: { group: '', projectId, backend, type } }),
          ...edits,
        ],
        event: 'volume.group.join',
      });
      if (outcome.word === 'ok') return;
      hasGroupChanged(id, outcome); // then it is tried again
    }
    throw errors.wrongStatus(volumeId, 'being changed', 'no other request at the same time');
  }

  private async remove(id: string, volume: string): Promise<void> {
    const outcome = await commit(this.store, {
      edits: [{ kind: 'volume', id: volume, expect: { group: id }, unset: ['group'] }],
      event: 'volume.group.leave',
    });
    if (outcome.word === 'absent') throw errors.volumeNotFound(volume);
    if (outcome.word === 'changed') throw errors.volumeNotInGroup(volume, id);
  }

  /** What keeps a volume from being deleted, so that none of the group is. */
  private async refuseNeeded(volume: VolumeState): Promise<void> {
    if (!isAllowed('startDelete', volume)) throw await refusal(this.store, volume, 'startDelete');
    const { states } = await snapshotsOf(this.store).page(this.store.keys.volumeSnapshots(volume.id), { limit: 5 });
    if (states.length === 0) return;
    throw errors.volumeHasSnapshots(
      volume.id,
      states.map(({ id }) => id),
    );
  }

  private async refuseSnapshots(id: string): Promise<void> {
    const snapshots = await this.store.read((redis) => redis.zrange(this.store.keys.snapshotsOfGroup(id), '0', '4'));
    if (snapshots.length > 0) throw errors.groupHasSnapshots(id, snapshots);
  }

  private async deletionEnd(volume: string, options: SendOptions): Promise<void> {
    try {
      await this.commands.delete(volume, options);
    } catch (error) {
      if (asError(error).code !== 'VolumeNotFound') throw error;
    }
  }

  private hasVolumes(id: string, volumes: readonly VolumeState[]): Error {
    return errors.groupHasVolumes(
      id,
      volumes.slice(0, 5).map((volume) => volume.id),
    );
  }
}
