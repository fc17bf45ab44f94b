import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import { checkText } from '../models/check-text.ts';
import { type GroupSnapshotState, memberId } from '../models/group-snapshot-state.ts';
import type { GroupState } from '../models/group-state.ts';
import { groupSnapshotsOf, membersOf } from '../models/group-snapshot.ts';
import { groupsOf, volumesOfGroup } from '../models/group.ts';
import { isId } from '../models/id.ts';
import type { SnapshotState } from '../models/snapshot-state.ts';
import { type GroupTaskKind, taskKey } from '../models/task.ts';
import { editOf, isAllowed, removedSnapshot, withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type ChangeSet, type Outcome, type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import { readerOf, unused } from './cascade.ts';
import { commandSpan } from './command-span.ts';
import { checkChanges } from './describe.ts';
import { beingDeleted, firstDifference } from './differences.ts';
import { topicOf } from './message.ts';
import { newSnapshot } from './new-snapshot.ts';
import { overQuota } from './over-quota.ts';
import { type RequestClient, type RequestEnd, failed } from './request-client.ts';
import { maxChanges, refusal } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

export interface NewGroupSnapshot {
  /** Given by a requester that may ask twice. */
  id?: string;
  name?: string;
  description?: string;
  userId: string;
  projectId: string;
}

type Fields = Readonly<Record<string, string>> & { userId: string; projectId: string };

/**
 * Commands on snapshots of groups of volumes, by their ids. Each volume of the group has the same task until all have ended at once: what
 * would change one of them meanwhile is refused.
 */
export class GroupSnapshotCommands {
  private readonly store: Store;
  private readonly client: RequestClient;
  private readonly topic: string;

  constructor(store: Store, client: RequestClient, topic: string) {
    this.store = store;
    this.client = client;
    this.topic = topic;
  }

  /**
   * Takes snapshots of all volumes of a group, of one moment, also while hosts write to them: what these have not written yet is not in
   * them. A repeated request with the same id has one effect. Throws GroupNotFound, GroupEmpty, NotCapable, WrongStatus, NodeLost,
   * QuotaExceeded, GroupSnapshotExists; a call also what kept the node from it.
   */
  async create(group: string, request: NewGroupSnapshot, options: SendOptions = {}): Promise<GroupSnapshotState> {
    const { id = randomUUID(), name = '', description = '', userId, projectId } = request;
    if (!isId(id)) throw errors.invalidArgument('id', id, 'a UUID in lower case');
    checkChanges({ name, description });
    const fields = {
      ...withoutEmpty({ name: name.normalize('NFC'), description: description.normalize('NFC') }).set,
      userId: checkText('userId', userId),
      projectId: checkText('projectId', projectId),
    };
    await this.carryOut('group-snapshot', id, options, (to) => this.sendCreate(id, group, fields, to));
    return groupSnapshotsOf(this.store).lookup(id);
  }

  /**
   * Deletes a group snapshot with its snapshots. One whose node is lost is dissolved: its snapshots stay, and go with their volumes.
   * Throws GroupSnapshotNotFound, SnapshotBusy, SnapshotIsCopied, WrongStatus; a call also what kept the node from it.
   */
  async delete(id: string, options: SendOptions = {}): Promise<void> {
    await this.carryOut('delete-group-snapshot', id, options, (to) => this.sendDelete(id, to));
  }

  private async sendCreate(
    id: string,
    groupId: string,
    fields: Fields,
    to: ReplyTo | undefined,
  ): Promise<RequestEnd | undefined> {
    for (let change = 0; change < maxChanges; change += 1) {
      const found = await groupSnapshotsOf(this.store).find(id);
      if (found) return this.repeat(found, groupId, fields, to);
      const { type } = await groupsOf(this.store).lookup(groupId);
      const volumes = await volumesOfGroup(this.store, groupId);
      const outcome = await this.begin(
        'startGroupSnapshot',
        volumes,
        await this.creation(id, { id: groupId, type }, volumes, fields, to),
      );
      if (!outcome) continue;
      if (outcome.word === 'ok') return undefined;
      // As Redis has it where it lost the group snapshot, and its snapshots were found on the storage.
      if (outcome.word === 'exists' && outcome.edit > 0)
        throw errors.groupSnapshotExists(id, 'its snapshots are there');
      if (outcome.word !== 'condition') continue;
      if (outcome.condition.is === 'quota') throw await overQuota(this.store, outcome.condition);
      throw errors.nodeLost(volumes[0]?.node ?? '');
    }
    throw this.inChange(id);
  }

  /** Throws GroupEmpty, GroupOnOtherBackend, NotCapable. */
  private async creation(
    id: string,
    { id: group, type }: Pick<GroupState, 'id' | 'type'>,
    volumes: readonly VolumeState[],
    fields: Fields,
    to: ReplyTo | undefined,
  ): Promise<Change> {
    const [first] = volumes;
    if (!first) throw errors.groupEmpty(group);
    const own = backendId(first.node, first.backend);
    const elsewhere = volumes.find(({ node, backend }) => backendId(node, backend) !== own);
    if (elsewhere) {
      const other = backendId(elsewhere.node, elsewhere.backend);
      throw errors.groupOnOtherBackend(group, elsewhere.id, { own, other });
    }
    const [found] = (await backendsOf(this.store).readAll([own])).states;
    if (found && !found.capabilities.includes('groupSnapshots')) {
      throw errors.notCapable(first.id, found.driver, 'groupSnapshots');
    }
    const { name, userId, projectId } = fields;
    const members = new Map(volumes.map((volume) => [volume.id, memberId(id, volume.id)]));
    const bytes = volumes.reduce((sum, { size }) => sum + sizeInBytes(size), 0);
    const ofMember = {
      ...(name === undefined ? {} : { name }),
      userId,
      projectId,
      groupSnapshot: id,
    };
    return {
      isOld: async () => (await groupSnapshotsOf(this.store).find(id)) !== undefined,
      members,
      expect: ({ size }) => ({ group, size: String(size) }),
      conditions: [{ is: 'quota', project: projectId, snapshots: volumes.length, bytes }],
      edits: [
        {
          kind: 'group-snapshot',
          id,
          insert: true,
          set: { ...fields, group, ...(type === '' ? {} : { type }), status: 'creating', ...this.askedBy(to) },
          stamp: ['createTime'],
        },
        { kind: 'group', id: group },
        ...volumes.map((volume) => newSnapshot(members.get(volume.id) ?? '', volume, ofMember)),
      ],
    };
  }

  /** Throws GroupSnapshotExists for a request that differs from the one that made it. */
  private async repeat(
    found: GroupSnapshotState,
    group: string,
    fields: Fields,
    to: ReplyTo | undefined,
  ): Promise<RequestEnd | undefined> {
    const { id, status } = found;
    const isDeleted = status === 'deleting' || status === 'error_deleting';
    const difference =
      firstDifference([
        ['group', found.group, group],
        ['name', found.name, fields['name'] ?? ''],
        ['user', found.userId, fields.userId],
        ['project', found.projectId, fields.projectId],
      ]) ?? (isDeleted ? beingDeleted : undefined);
    if (difference !== undefined) throw errors.groupSnapshotExists(id, difference);
    if (status === 'creating') return this.join(found, to);
    return found.fault ? failed(found.fault) : {};
  }

  private async sendDelete(id: string, to?: ReplyTo): Promise<RequestEnd | undefined> {
    for (let change = 0; change < maxChanges; change += 1) {
      const found = await groupSnapshotsOf(this.store).lookup(id);
      if (found.status === 'creating') throw errors.groupSnapshotBeingMade(id);
      if (found.status === 'deleting') return this.join(found, to);
      const snapshots = await membersOf(this.store, id);
      const volumes = await volumesOf(this.store).findAll(snapshots.map(({ volume }) => volume));
      const [first] = volumes;
      if (!first) return this.dissolve(found, snapshots);
      const outcome = await this.begin(
        'startDeleteGroupSnapshot',
        volumes,
        this.deletion(found, snapshots, volumes, to),
      );
      if (!outcome) continue;
      if (outcome.word === 'ok') return undefined;
      if (outcome.word !== 'condition') continue;
      const { condition } = outcome;
      const [, snapshot] = condition.is === 'empty' ? (/^snapshot:([^:]+):/.exec(condition.key) ?? []) : [];
      if (snapshot !== undefined) throw await readerOf(this.store, snapshot);
      return this.dissolve(found, snapshots, first.node);
    }
    throw this.inChange(id);
  }

  private deletion(
    { id, status }: GroupSnapshotState,
    snapshots: readonly SnapshotState[],
    volumes: readonly VolumeState[],
    to: ReplyTo | undefined,
  ): Change {
    const present = new Set(volumes.map((volume) => volume.id));
    return {
      isOld: async () => (await groupSnapshotsOf(this.store).find(id))?.status !== status,
      members: new Map(snapshots.map((snapshot) => [snapshot.volume, snapshot.id])),
      expect: () => ({}),
      conditions: snapshots.flatMap((snapshot) => unused(snapshot.id)),
      edits: [
        {
          kind: 'group-snapshot',
          id,
          expect: { status },
          set: { status: 'deleting', ...this.askedBy(to) },
          unset: ['fault'],
        },
        ...snapshots.map((snapshot) =>
          present.has(snapshot.volume)
            ? ({
                kind: 'snapshot',
                id: snapshot.id,
                expect: { status: snapshot.status },
                set: { status: 'deleting' },
                unset: ['fault'],
              } as const)
            : removedSnapshot(snapshot.id),
        ),
      ],
    };
  }

  /** Begins the same task of all volumes. Undefined where another request has begun it meanwhile. Throws WrongStatus. */
  private async begin(
    transition: 'startGroupSnapshot' | 'startDeleteGroupSnapshot',
    volumes: readonly VolumeState[],
    { isOld, members, expect, conditions = [], edits }: Change,
  ): Promise<Outcome | undefined> {
    const refused = volumes.find((volume) => !isAllowed(transition, volume));
    if (refused) {
      if (await isOld()) return undefined;
      throw await refusal(this.store, refused, transition);
    }
    const [first] = volumes;
    const { id = '', node = '' } = first ?? {};
    const key = taskKey();
    const { by } = this.store;
    return commit(this.store, {
      conditions: [{ is: 'notLost', node }, ...conditions],
      edits: [
        ...edits,
        ...volumes.map((volume) =>
          editOf(volume, transition, {
            set: { snapshot: members.get(volume.id) ?? '', ...(by === '' ? {} : { by }) },
            expect: expect(volume),
            task: { key },
          }),
        ),
      ],
      commands: [{ topic: topicOf(this.topic, node), message: JSON.stringify({ volume: id }) }],
      frees: transition === 'startDeleteGroupSnapshot',
    });
  }

  /** The snapshots are single ones then, of a node that is lost or of volumes that are gone. */
  private async dissolve(
    { id, status }: GroupSnapshotState,
    snapshots: readonly SnapshotState[],
    node?: string,
  ): Promise<RequestEnd> {
    const outcome = await commit(this.store, {
      conditions: node === undefined ? [] : [{ is: 'lost', node }],
      edits: [
        { kind: 'group-snapshot', id, expect: { status }, remove: true },
        ...snapshots.map((snapshot) => ({
          kind: 'snapshot' as const,
          id: snapshot.id,
          optional: true as const,
          unset: ['groupSnapshot'],
        })),
      ],
      event: 'group-snapshot.dissolve',
      frees: true,
    });
    if (outcome.word === 'ok' || outcome.word === 'absent') return {};
    throw this.inChange(id);
  }

  private async join({ id, status }: GroupSnapshotState, to: ReplyTo | undefined): Promise<undefined> {
    // Where it ended just now, the requester's polling sees the end.
    if (to)
      await commit(this.store, { edits: [{ kind: 'group-snapshot', id, expect: { status }, join: to }], frees: true });
    return undefined;
  }

  private askedBy(to: ReplyTo | undefined): Record<string, string> {
    const { by } = this.store;
    return { ...(by === '' ? {} : { by }), ...(to ? { requesters: to } : {}) };
  }

  private inChange(id: string): Error {
    return errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  private carryOut(
    kind: GroupTaskKind,
    id: string,
    options: SendOptions,
    send: (to?: ReplyTo) => Promise<RequestEnd | undefined>,
  ): Promise<void> {
    const attributes = { 'blockstore.group_snapshot': id };
    return commandSpan(this.store, kind, attributes, () => this.sendAndWait(kind, id, options, send));
  }

  private async sendAndWait(
    kind: GroupTaskKind,
    id: string,
    { deadlineMs }: SendOptions,
    send: (to?: ReplyTo) => Promise<RequestEnd | undefined>,
  ): Promise<void> {
    if (deadlineMs === undefined) {
      await send();
      return;
    }
    const end = await this.client.call({ deadlineMs, send: async (to) => send(to), poll: () => this.poll(kind, id) });
    if (!end) throw errors.groupSnapshotNotFinished(id, kind, deadlineMs);
    if ('fault' in end) throw end.fault;
    if (!this.store.isReplicated) return;
    // A reply comes before replicas have the change: a failover since then may have lost it.
    const now = await this.store.readReplicated(() => this.poll(kind, id));
    if (now && 'fault' in now) throw now.fault;
  }

  private async poll(kind: GroupTaskKind, id: string): Promise<RequestEnd | undefined> {
    const found = await groupSnapshotsOf(this.store).find(id);
    const isCreated = kind === 'group-snapshot';
    if (!found) return isCreated ? { fault: errors.groupSnapshotLost(id, kind, 'without a record') } : {};
    if (found.status === 'creating' || found.status === 'deleting') return undefined;
    if (found.fault) return failed(found.fault);
    return isCreated ? {} : { fault: errors.groupSnapshotLost(id, kind, found.status) };
  }
}

/** What a request changes besides the tasks of the volumes. */
interface Change extends Pick<ChangeSet, 'conditions' | 'edits'> {
  /** Whether the group snapshot is another one than when it was read, before its volumes. */
  isOld: () => Promise<boolean>;
  /** Volumes and their snapshots. */
  members: ReadonlyMap<string, string>;
  /** Further values that the record of a volume must have. */
  expect: (volume: VolumeState) => Record<string, string>;
}
