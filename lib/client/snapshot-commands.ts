import { randomUUID } from 'node:crypto';
import { asError, errors } from '../errors.ts';
import { usersOf } from '../models/attachment.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { isId } from '../models/id.ts';
import { metadataFields } from '../models/metadata.ts';
import type { SnapshotState } from '../models/snapshot-state.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import type { SnapshotTaskKind } from '../models/task.ts';
import { withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import type { ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import { readerOf, unused } from './cascade.ts';
import { commandSpan } from './command-span.ts';
import { type SnapshotChanges, describeSnapshot } from './describe-snapshot.ts';
import { checkChanges } from './describe.ts';
import { beingDeleted, firstDifference } from './differences.ts';
import { newSnapshot } from './new-snapshot.ts';
import { type RequestClient, type RequestEnd, failed } from './request-client.ts';
import { type Sent, type TaskPlan, joinTask, maxChanges, startTask } from './start-task.ts';
import { turnEnd } from './turns.ts';
import type { SendOptions } from './volume-commands.ts';

export interface NewSnapshot {
  /** Given by a requester that may ask twice. */
  id?: string;
  name?: string;
  description?: string;
  metadata?: Readonly<Record<string, string>>;
  userId: string;
  projectId: string;
  /** Also of a volume that is attached: without what its host has not written yet. */
  force?: boolean;
}

/** Commands on snapshots, by their ids, sent from anywhere. What is under way for one is a task of its volume. */
export class SnapshotCommands {
  private readonly store: Store;
  private readonly client: RequestClient;
  private readonly topic: string;

  constructor(store: Store, client: RequestClient, topic: string) {
    this.store = store;
    this.client = client;
    this.topic = topic;
  }

  /**
   * Takes a snapshot of a volume, which goes on as it is; several are taken one after the other. A repeated request with the same id has one
   * effect. Throws VolumeNotFound, VolumeAttached without `force`, NotCapable, WrongStatus, NodeLost, SnapshotExists; a call also what kept
   * the node from it.
   */
  async create(volumeId: string, request: NewSnapshot, options: SendOptions = {}): Promise<SnapshotState> {
    const { id = randomUUID(), name, description = '', metadata = {}, userId, projectId, force = false } = request;
    if (!isId(id)) throw errors.invalidArgument('id', id, 'a UUID in lower case');
    checkChanges({ description, metadata });
    const fields = {
      ...(name === undefined ? {} : { name: checkVolumeName(name) }),
      ...(description === '' ? {} : { description }),
      ...metadataFields(metadata),
      userId: checkText('userId', userId),
      projectId: checkText('projectId', projectId),
    };
    const waitsUntil = turnEnd(options);
    await this.carryOut('snapshot', id, options, (to) =>
      this.sendCreate(id, volumeId, fields, { force, to, waitsUntil }),
    );
    return snapshotsOf(this.store).lookup(id);
  }

  /**
   * Changes what is noted of a snapshot; its new name also goes to the labels of its storage. Returns its record then. Throws
   * SnapshotNotFound, InvalidArgument, and of a rename WrongStatus, NodeLost.
   */
  async update(id: string, changes: SnapshotChanges): Promise<SnapshotState> {
    checkChanges(changes);
    const snapshot = await describeSnapshot(this.store, id, changes);
    const { name } = changes;
    if (name === undefined || name === snapshot.name) return snapshot;
    const volume = await volumesOf(this.store).lookup(snapshot.volume);
    const expect = { status: snapshot.status, name: snapshot.name };
    const edit = { kind: 'snapshot', id, expect, ...withoutEmpty({ name }) } as const;
    const request = { transition: 'startRename', kind: 'rename', set: { snapshot: id }, whenLost: 'refuse' } as const;
    const refused = () => errors.snapshotsChange(volume.id);
    await startTask(this.store, { ...request, also: { edits: [edit] }, refused, topic: this.topic }, volume);
    return snapshotsOf(this.store).lookup(id);
  }

  /** Throws SnapshotNotFound, SnapshotOfGroup, WrongStatus, NodeLost; a call also what kept the node from it. */
  async delete(id: string, options: SendOptions = {}): Promise<void> {
    const waitsUntil = turnEnd(options);
    await this.carryOut('delete-snapshot', id, options, (to) => this.sendDelete(id, waitsUntil, to));
  }

  private async sendCreate(
    id: string,
    volumeId: string,
    fields: Readonly<Record<string, string>> & { projectId: string },
    { force, to, waitsUntil }: { force: boolean; to: ReplyTo | undefined; waitsUntil: number },
  ): Promise<Sent> {
    for (let change = 1; ; change += 1) {
      const volume = await volumesOf(this.store).lookup(volumeId);
      const found = await snapshotsOf(this.store).find(id);
      if (found) return this.repeat(found, volume, fields, to);
      await this.requireCapable(volume);
      // It may have to wait for its turn, and the volume is another then.
      const plan = async (now: VolumeState): Promise<TaskPlan> => {
        if (now.attachStatus !== 'detached' && !force) {
          throw errors.snapshotOfAttached(volumeId, await usersOf(this.store, now));
        }
        const size = String(now.size);
        const bytes = sizeInBytes(now.size);
        return {
          transition: 'startSnapshot',
          set: { snapshot: id },
          edits: [newSnapshot(id, now, fields)],
          expect: { size },
          conditions: [{ is: 'quota', project: fields.projectId, snapshots: 1, bytes }],
          isUnderWay: now.snapshot === id,
        };
      };
      try {
        return await startTask(
          this.store,
          {
            transition: 'startSnapshot',
            kind: 'snapshot',
            plan,
            refused: () => errors.snapshotExists(id, 'another request made it'),
            topic: this.topic,
            waitsUntil,
            whenLost: 'refuse',
          },
          volume,
          to,
        );
      } catch (error) {
        if (asError(error).code !== 'SnapshotExists' || change === maxChanges) throw error;
      }
    }
  }

  /** Throws SnapshotExists for a request that differs from the one that made it. */
  private async repeat(
    found: SnapshotState,
    volume: VolumeState,
    fields: Readonly<Record<string, string>>,
    to: ReplyTo | undefined,
  ): Promise<Sent> {
    const { id, name, description, userId, projectId } = found;
    const compared = [
      ['volume', found.volume, volume.id],
      ['name', name, fields['name'] ?? ''],
      ['description', description, fields['description'] ?? ''],
      ['user', userId, fields['userId']],
      ['project', projectId, fields['projectId']],
    ] as const;
    const isDeleted = found.status === 'deleting' || found.status === 'error_deleting';
    const difference = firstDifference(compared) ?? (isDeleted ? beingDeleted : undefined);
    if (difference !== undefined) throw errors.snapshotExists(id, difference);
    if (volume.task?.kind === 'snapshot' && volume.snapshot === id) return joinTask(this.store, volume, 'snapshot', to);
    return { volume, end: found.fault ? failed(found.fault) : {} };
  }

  private async sendDelete(id: string, waitsUntil: number, to?: ReplyTo): Promise<Sent> {
    for (let change = 1; ; change += 1) {
      const snapshot = await snapshotsOf(this.store).lookup(id);
      const volume = await volumesOf(this.store).lookup(snapshot.volume);
      if (snapshot.groupSnapshot !== '') throw errors.snapshotOfGroup(id, snapshot.groupSnapshot);
      const isUnderWay = volume.task?.kind === 'delete-snapshot' && volume.snapshot === id;
      if (isUnderWay) return joinTask(this.store, volume, 'delete-snapshot', to);
      if (snapshot.status === 'creating') throw errors.snapshotBeingMade(id);
      const expect = { status: snapshot.status };
      try {
        return await startTask(
          this.store,
          {
            transition: 'startDeleteSnapshot',
            kind: 'delete-snapshot',
            set: { snapshot: id },
            also: {
              edits: [{ kind: 'snapshot', id, expect, set: { status: 'deleting' }, unset: ['fault'] }],
              conditions: unused(id),
            },
            refused: ({ word }) => (word === 'condition' ? readerOf(this.store, id) : errors.snapshotBeingMade(id)),
            topic: this.topic,
            waitsUntil,
            whenLost: 'refuse',
          },
          volume,
          to,
        );
      } catch (error) {
        if (asError(error).code !== 'SnapshotBusy' || change === maxChanges) throw error;
      }
    }
  }

  /** Throws NotCapable. */
  private async requireCapable({ id, node, backend }: VolumeState): Promise<void> {
    const { states } = await backendsOf(this.store).readAll([backendId(node, backend)]);
    const [found] = states;
    if (found && !found.capabilities.includes('snapshots')) throw errors.notCapable(id, found.driver, 'snapshots');
  }

  private carryOut(
    kind: SnapshotTaskKind,
    id: string,
    options: SendOptions,
    send: (to?: ReplyTo) => Promise<Sent>,
  ): Promise<void> {
    const attributes = { 'blockstore.snapshot': id };
    return commandSpan(this.store, kind, attributes, () => this.sendAndWait(kind, id, options, send));
  }

  private async sendAndWait(
    kind: SnapshotTaskKind,
    id: string,
    { deadlineMs }: SendOptions,
    send: (to?: ReplyTo) => Promise<Sent>,
  ): Promise<void> {
    if (deadlineMs === undefined) {
      await send();
      return;
    }
    const end = await this.client.call({
      deadlineMs,
      send: async (to) => (await send(to)).end,
      poll: () => this.poll(kind, id),
    });
    if (!end) throw errors.snapshotNotFinished(id, kind, deadlineMs);
    if ('fault' in end) throw end.fault;
    if (!this.store.isReplicated) return;
    // A reply comes before replicas have the change: a failover since then may have lost it.
    const now = await this.store.readReplicated(() => this.poll(kind, id));
    if (now && 'fault' in now) throw now.fault;
  }

  private async poll(kind: SnapshotTaskKind, id: string): Promise<RequestEnd | undefined> {
    const snapshot = await snapshotsOf(this.store).find(id);
    if (!snapshot) return kind === 'delete-snapshot' ? {} : { fault: errors.changeLost(id, kind, 'without a record') };
    if (snapshot.status === 'creating' || snapshot.status === 'deleting') return undefined;
    if (snapshot.fault) return failed(snapshot.fault);
    return kind === 'snapshot' ? {} : { fault: errors.changeLost(id, kind, snapshot.status) };
  }
}
