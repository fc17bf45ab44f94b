import { randomUUID } from 'node:crypto';
import { type BlockstoreError, asError, errors } from '../errors.ts';
import { type AttachedVolume, type Attachment, checkAttachment, withAttachment } from '../models/attachment.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import type { Hash } from '../models/hash.ts';
import { migrationsOf } from '../models/migration.ts';
import { readNodes } from '../models/node.ts';
import { isId } from '../models/id.ts';
import type { RestoreSource } from '../models/restore-source.ts';
import type { VolumeTaskKind } from '../models/task.ts';
import { type NewVolume, checkSize, volumesOf } from '../models/volume.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import type { Outcome, ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { type PlannedAttach, type PlannedDetach, attachPlan, detachPlan, madeByOther } from './attachment-plans.ts';
import { cascadePlan, neededBy } from './cascade.ts';
import { commandSpan } from './command-span.ts';
import { type VolumeChanges, checkChanges, describe } from './describe.ts';
import { differences } from './differences.ts';
import { placeNew } from './place-new.ts';
import { RecentCandidates } from './placement.ts';
import { restoreRequest } from './restore-plan.ts';
import type { RequestClient } from './request-client.ts';
import { lost, taskEnd } from './task-end.ts';
import { turnEnd } from './turns.ts';
import { type Sent, type StartRequest, joinTask, maxChanges, startTask } from './start-task.ts';

/** How to send a command: with a deadline it is a call, which waits for the reply; without, a cast. */
export interface SendOptions {
  deadlineMs?: number;
  /** How long it waits for its turn, where the volume has another task: see othersTurnEnded(). Default: `deadlineMs`. */
  turnMs?: number;
  /** Of a copy to an image or backup. */
  recording?: Recording;
}

/** The moment in which a request is recorded: until then nothing of it is done. */
export interface Recording {
  /** The request is not sent once it has aborted: that throws its reason. */
  signal: AbortSignal;
  onRecorded: () => void;
}

/**
 * Commands on volumes, by their ids, sent from anywhere. Each returns the record: as the operation left it (call) or as it was
 * when the command was recorded (cast). A call that passes its deadline throws NotFinished; the operation continues.
 */
export class VolumeCommands {
  private readonly store: Store;
  private readonly client: RequestClient;
  private readonly topic: string;
  private readonly recent: RecentCandidates;

  constructor(store: Store, client: RequestClient, topic: string, recent = new RecentCandidates()) {
    this.store = store;
    this.client = client;
    this.topic = topic;
    this.recent = recent;
  }

  /**
   * Creates a volume on the backend that placement chooses, or on `node` (see parsePlace()) alone. A repeated request with the
   * same id and arguments has one effect. Throws InvalidSize, NoNodeUp, NodeNotFound, NodeDown, NoSpace, BackendUnavailable,
   * VolumeExists; a call also NoMoreVolumes, which leaves nothing behind.
   */
  async create(
    request: Omit<NewVolume, 'id'> & { id?: string; node?: string },
    options: SendOptions = {},
  ): Promise<VolumeState> {
    checkSize(request.size);
    const { node, id = randomUUID(), name, ...rest } = request;
    if (!isId(id)) throw errors.invalidArgument('id', id, 'a UUID in lower case');
    const volume = {
      ...rest,
      id,
      ...(name === undefined ? {} : { name: checkVolumeName(name) }),
      userId: checkText('userId', rest.userId),
      projectId: checkText('projectId', rest.projectId),
    };
    checkChanges(rest);
    return this.carryOut('create', id, options, (to) => this.sendCreate(volume, node, to));
  }

  /**
   * With `withSnapshots` its snapshots go with it, at most a few hundred: see deleteWithSnapshots(). With
   * `withGroup` also one of a group. Throws VolumeNotFound, VolumeAttached, VolumeInGroup, VolumeHasSnapshots, VolumeIsCopied,
   * SnapshotIsCopied, WrongStatus; a call also what kept its node from removing it.
   */
  async delete(
    id: string,
    { withSnapshots = false, withGroup, ...options }: SendOptions & { withSnapshots?: boolean; withGroup?: true } = {},
  ): Promise<void> {
    await this.carryOut('delete', id, options, (to) =>
      withSnapshots ? this.sendCascade(id, to) : this.sendDelete(id, { to, withGroup }),
    );
  }

  private sendDelete(
    id: string,
    { to, withGroup }: { to: ReplyTo | undefined; withGroup: true | undefined },
  ): Promise<Sent> {
    const conditions = [
      { is: 'empty', key: `volume:${id}:snapshots` },
      { is: 'empty', key: `volume:${id}:copies` },
    ] as const;
    const request = { transition: 'startDelete', kind: 'delete', whenLost: 'abandon' } as const;
    const refused = (outcome: Outcome) => neededBy(this.store, id, outcome);
    const more = withGroup ? { withGroup } : {};
    return this.start({ ...request, ...more, also: { edits: [], conditions }, refused }, id, to);
  }

  private async sendCascade(id: string, to?: ReplyTo): Promise<Sent> {
    const plan = (volume: VolumeState) => cascadePlan(this.store, volume);
    const refused = (outcome: Outcome) => neededBy(this.store, id, outcome);
    const request = { transition: 'startDelete', kind: 'delete', whenLost: 'abandonWithSnapshots' } as const;
    for (let change = 1; ; change += 1) {
      try {
        return await this.start({ ...request, plan, refused }, id, to);
      } catch (error) {
        // A snapshot has changed meanwhile.
        if (asError(error).code !== 'SnapshotBusy' || change === maxChanges) throw error;
      }
    }
  }

  /**
   * Attaches a volume; with `examined`, the address at which its host has looked for devices of earlier volumes, only while it has that
   * address. Throws VolumeNotFound, VolumeAttached, WrongStatus, NodeLost, InvalidArgument, AddressChanged, and like detach() AttachmentLost,
   * RecordUnreadable of another attachment.
   */
  async attach(
    id: string,
    attachment: Attachment,
    { examined, ...options }: SendOptions & { examined?: string } = {},
  ): Promise<AttachedVolume> {
    checkAttachment(attachment);
    return this.attachAs(id, { id: randomUUID(), attachment }, { examined, ...options });
  }

  /** The same, of a volume as it was just read, with an attachment that is reserved. Throws AttachmentNotFound, AttachmentExists as well. */
  async attachAs(
    of: VolumeState | string,
    planned: PlannedAttach,
    { examined, ...options }: SendOptions & { examined?: string | undefined } = {},
  ): Promise<AttachedVolume> {
    const id = typeof of === 'string' ? of : of.id;
    const exists = { refused: () => errors.attachmentExists(planned.id, madeByOther) };
    const plan = (volume: VolumeState) => attachPlan(this.store, volume, planned);
    const waitsUntil = turnEnd(options);
    let own = '';
    const volume = await this.carryOut('attach', id, options, async (to) => {
      const begin = { transition: 'startAttach', kind: 'attach', plan, whenLost: 'refuse' } as const;
      const request = { ...begin, ...(planned.reserved === 'now' ? exists : {}), examined, waitsUntil };
      const sent = await this.start(request, of, to);
      own = sent.volume.attachment;
      return sent;
    });
    return withAttachment(this.store, volume, own);
  }

  /**
   * Detaches a volume from an instance; with `attachment`, by its id, only while it has that one. Throws VolumeNotFound, VolumeNotAttached
   * (also where it has another attachment), SeveralAttachments, VolumeReserved, WrongStatus while it is being attached.
   */
  async detach(
    id: string,
    { attachment, instance, keeps, ...options }: SendOptions & PlannedDetach = {},
  ): Promise<VolumeState> {
    const plan = (volume: VolumeState) => detachPlan(this.store, volume, { attachment, instance, keeps });
    const waitsUntil = turnEnd(options);
    return this.carryOut('detach', id, options, (to) =>
      this.start({ transition: 'startDetach', kind: 'detach', plan, waitsUntil, whenLost: 'detachLost' }, id, to),
    );
  }

  /**
   * Extends a volume to `size` GiB, also while it is attached: its hosts see the new size when they look again. One that has it already
   * stays as it is. Throws VolumeNotFound, InvalidSize, SizeNotLarger, NotCapable, NoSpace, BackendUnavailable, WrongStatus, NodeLost.
   */
  async extend(id: string, size: number, options: SendOptions = {}): Promise<VolumeState> {
    checkSize(size);
    return this.carryOut('extend', id, options, (to) => this.sendExtend(id, size, to));
  }

  private async sendExtend(id: string, size: number, to?: ReplyTo): Promise<Sent> {
    for (let change = 1; ; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      const { task, status, node, backend } = volume;
      if (size < volume.size) throw errors.sizeNotLarger(id, volume.size, size);
      if (size === volume.size && !task && (status === 'available' || status === 'in-use')) return { volume, end: {} };
      const { states } = await backendsOf(this.store).readAll([backendId(node, backend)]);
      const [found] = states;
      if (found && !found.capabilities.includes('extend')) throw errors.notCapable(id, found.driver, 'extend');
      const set = { newSize: String(size) };
      const growth = { from: volume.size, to: size };
      const request = { transition: 'startExtend', kind: 'extend', set, growth, whenLost: 'refuse' } as const;
      try {
        return await startTask(this.store, { ...request, topic: this.topic }, volume, to);
      } catch (error) {
        // Another request has extended it since: this one compares anew.
        if (asError(error).code !== 'SizeChanged' || change === maxChanges) throw error;
      }
    }
  }

  /**
   * Gives a detached volume the data of a backup, of its latest snapshot or of an image in place of its own. Throws VolumeNotFound,
   * VolumeAttached, VolumeIsCopied, WrongStatus, NodeLost, what restoreRequest() throws; a call also what its node finds wrong with the source,
   * with which nothing has changed, and what keeps it from completing the copy: then the volume is restored again, or deleted.
   */
  async restore(
    id: string,
    source: RestoreSource,
    { mayBeReserved = false, ...options }: SendOptions & { mayBeReserved?: boolean } = {},
  ): Promise<VolumeState> {
    const request = restoreRequest(this.store, source, { mayBeReserved });
    return this.carryOut('restore', id, options, (to) => this.start(request, id, to));
  }

  /**
   * Changes what is noted of a volume, in any status; a new name also goes to the labels of its storage. Throws VolumeNotFound,
   * InvalidArgument, VolumeAttached for one that is to be read-only, and of a rename WrongStatus, NodeLost.
   */
  async update(id: string, changes: VolumeChanges, options: SendOptions = {}): Promise<VolumeState> {
    checkChanges(changes);
    const volume = await describe(this.store, id, changes);
    const { name } = changes;
    if (name === undefined || name === volume.name) return volume;
    const set = name === '' ? { unset: ['name'] } : { set: { name } };
    return this.carryOut('rename', id, options, (to) =>
      this.start({ transition: 'startRename', kind: 'rename', whenLost: 'refuse', ...set }, id, to),
    );
  }

  private async start(request: Omit<StartRequest, 'topic'>, of: VolumeState | string, to?: ReplyTo): Promise<Sent> {
    const volume = typeof of === 'string' ? await volumesOf(this.store).lookup(of) : of;
    return startTask(this.store, { ...request, topic: this.topic }, volume, to);
  }

  private async sendCreate(volume: NewVolume, node: string | undefined, to?: ReplyTo): Promise<Sent> {
    const { id } = volume;
    const { store, topic, recent } = this;
    for (let change = 0; change < maxChanges; change += 1) {
      const created = await placeNew({ store, topic, recent }, volume, { node, to });
      if (created) return { volume: created };
      const found = await volumesOf(this.store).find(id);
      if (found) {
        const difference = differences(found, volume, node, await this.placeAfter(found));
        if (difference !== undefined) throw errors.volumeExists(id, difference);
        return joinTask(this.store, found, 'create', to);
      }
      // It was deleted between the two: its id is free.
    }
    throw errors.volumeExists(id, 'it was created and deleted by others again and again');
  }

  /** Where the volume is, or is to be. */
  private async placeAfter(volume: VolumeState): Promise<Pick<VolumeState, 'node' | 'backend'>> {
    const migration = volume.migration === '' ? undefined : await migrationsOf(this.store).find(volume.migration);
    return migration ?? volume;
  }

  /** Sends the request that begins a task, and waits for its end where there is a deadline. */
  carryOut(
    kind: VolumeTaskKind,
    id: string,
    options: SendOptions,
    send: (to?: ReplyTo) => Promise<Sent>,
  ): Promise<VolumeState> {
    const attributes = { 'blockstore.volume': id };
    return commandSpan(this.store, kind, attributes, () => this.sendAndWait(kind, id, options, send));
  }

  private async sendAndWait(
    kind: VolumeTaskKind,
    id: string,
    { deadlineMs }: SendOptions,
    send: (to?: ReplyTo) => Promise<Sent>,
  ): Promise<VolumeState> {
    if (deadlineMs === undefined) return (await send()).volume;
    let sent: Sent | undefined;
    const end = await this.client.call({
      deadlineMs,
      send: async (to) => {
        sent = await send(to);
        return sent.end;
      },
      poll: () => taskEnd(this.store, kind, id, sent?.volume),
    });
    if (!end) throw await this.notFinished(kind, id, deadlineMs);
    if ('fault' in end) throw end.fault;
    if (this.store.isReplicated) await this.confirm(kind, id, deadlineMs, sent?.volume);
    if (end.record) return stateIn(id, end.record);
    if (sent) return sent.volume;
    throw new Error(`the ${kind} of volume ${id} ended without having been sent`);
  }

  /** A reply comes before replicas have the change: a failover since then may have lost it. Throws NotReplicated. */
  private async confirm(kind: VolumeTaskKind, id: string, deadlineMs: number, asked?: VolumeState): Promise<void> {
    const end = await this.store.readReplicated(() => taskEnd(this.store, kind, id, asked));
    if (!end) throw await this.notFinished(kind, id, deadlineMs);
    if ('fault' in end) throw end.fault;
  }

  private async notFinished(kind: VolumeTaskKind, id: string, deadlineMs: number): Promise<BlockstoreError> {
    const volume = await volumesOf(this.store).find(id);
    if (!volume) return lost(id, kind);
    return errors.notFinished(id, kind, deadlineMs, await this.activityOf(volume));
  }

  /** Why a task has not ended, as far as the record of its node says. */
  private async activityOf({ node, backend: name }: VolumeState): Promise<string> {
    const { nodes } = await readNodes(this.store, [node]);
    const [found] = nodes;
    if (!found) return `the record of its node ${node} cannot be read`;
    if (found.state !== 'up') return `its node ${node} is ${found.state}`;
    const backend = found.backends.find((one) => one.name === name);
    return backend?.problem ? `backend ${backend.id}: ${backend.problem}` : `node ${node} is working on it`;
  }
}

function stateIn(id: string, record: Hash | undefined): VolumeState {
  return parseVolume(id, record ?? {});
}
