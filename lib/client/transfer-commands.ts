import { randomUUID } from 'node:crypto';
import { asError, errors } from '../errors.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import type { SnapshotState } from '../models/snapshot-state.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { isKey, newTransferKey, storedKey } from '../models/transfer-key.ts';
import type { TransferState } from '../models/transfer-state.ts';
import { transfersOf } from '../models/transfer.ts';
import { editOf, isAllowed } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { redisTime } from '../redis/redis-time.ts';
import { type Edit, type Outcome, type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { type Receiver, acceptance } from './acceptance.ts';
import { endIfExpired, endTransfer } from './end-transfer.ts';
import { type Sent, joinTask, maxChanges, refusal, startTask } from './start-task.ts';
import type { SendOptions, VolumeCommands } from './volume-commands.ts';

/** Snapshots that a transfer moves at most: their edits are one change set, which holds Redis up for some milliseconds. */
export const maxSnapshots = 200;

/** How long a transfer can be accepted where nobody says. */
export const defaultTransferMs = 24 * 3_600_000;

export interface NewTransfer {
  /** Given by a requester that may ask twice. */
  id?: string;
  name?: string;
  /** Whether the snapshots that the project has of the volume go along. */
  withSnapshots: boolean;
  /** How long it can be accepted. */
  lengthMs: number;
}

/** Errors of an acceptance that another request has come before. */
const ofOthers: ReadonlySet<string> = new Set(['TransferRefused', 'WrongStatus', 'VolumeAttached', 'VolumeNotFound']);

/** Offers of volumes to other projects. */
export class TransferCommands {
  private readonly store: Store;
  private readonly commands: VolumeCommands;
  private readonly topic: string;

  constructor(store: Store, commands: VolumeCommands, topic: string) {
    this.store = store;
    this.commands = commands;
    this.topic = topic;
  }

  /**
   * Offers a volume to whoever has the key, which is returned once and stored nowhere. A repeated request with the same id has one effect,
   * and gets another key, which takes the place of the first. Throws VolumeNotFound, VolumeAttached, VolumeInGroup, WrongStatus,
   * TooManySnapshots, TransferExists.
   */
  async create(volumeId: string, request: NewTransfer): Promise<{ transfer: TransferState; key: string }> {
    const { id = randomUUID(), name, withSnapshots, lengthMs } = request;
    const key = newTransferKey();
    const given = name === undefined ? {} : { name: checkVolumeName(name) };
    const stored = await storedKey(key);
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(volumeId);
      const repeated = request.id === undefined ? undefined : await transfersOf(this.store).find(id);
      if (repeated && !isSame(repeated, volumeId, request)) throw errors.transferExists(id);
      if (repeated && volume.transfer === id && (await redisTime(this.store)) < repeated.expires) {
        const edit: Edit = { kind: 'transfer', id, expect: { volume: volumeId }, set: { ...stored } };
        const { word } = await commit(this.store, { edits: [edit], event: 'volume.transfer.key' });
        if (word === 'ok') return { transfer: repeated, key };
        continue;
      }
      if (!isAllowed('startTransfer', volume)) {
        if (await endIfExpired(this.store, volume)) continue;
        throw await refusal(this.store, volume, 'startTransfer');
      }
      if (volume.group !== '') throw errors.transferInGroup(volumeId, volume.group);
      if (withSnapshots) await this.snapshotsOfVolume(volume);
      const expires = String((await redisTime(this.store)) + lengthMs);
      const set = {
        ...given,
        volume: volumeId,
        projectId: volume.projectId,
        expires,
        ...(withSnapshots ? { withSnapshots: 'true' } : {}),
        ...stored,
      };
      const outcome = await commit(this.store, {
        edits: [
          editOf(volume, 'startTransfer', {
            set: { transfer: id, transferExpires: expires },
            expect: { projectId: volume.projectId, group: '' },
          }),
          { kind: 'transfer', id, insert: true, set, stamp: ['createTime'] },
        ],
        event: 'volume.transfer.create',
      });
      if (outcome.word === 'ok') return { transfer: await transfersOf(this.store).lookup(id), key };
    }
    throw errors.wrongStatus(volumeId, 'being changed', 'no other request at the same time');
  }

  /** Ends a transfer: its volume is available again. Throws TransferNotFound. */
  async delete(id: string): Promise<void> {
    for (let change = 0; change < maxChanges; change += 1) {
      const { volume: volumeId } = await transfersOf(this.store).lookup(id);
      const volume = await volumesOf(this.store).find(volumeId);
      const outcome =
        volume?.transfer === id && isAllowed('endTransfer', volume)
          ? await endTransfer(this.store, volume)
          : await this.removeRecord(id, volume);
      if (outcome.word === 'ok') return;
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /**
   * Moves the volume of a transfer to another project, and returns it when its storage is labelled so. Throws TransferRefused,
   * TransferExpired, TransferToOwner, TooManySnapshots, NodeLost, InvalidArgument; a call also what kept the node from labelling the
   * storage: the volume is the receiver's nevertheless.
   */
  async accept(id: string, key: string, receiver: Receiver, options: SendOptions = {}): Promise<VolumeState> {
    const to: Receiver = {
      userId: checkText('userId', receiver.userId),
      projectId: checkText('projectId', receiver.projectId),
    };
    const transfer = await transfersOf(this.store).find(id);
    if (!transfer || !(await isKey(key, transfer.key))) throw errors.transferRefused(id);
    await this.refuseExpired(transfer);
    if (transfer.projectId === to.projectId) throw errors.transferToOwner(id, to.projectId);
    return this.commands.carryOut('relabel', transfer.volume, options, (reply) => this.sendAccept(transfer, to, reply));
  }

  private async sendAccept(transfer: TransferState, to: Receiver, reply?: ReplyTo): Promise<Sent> {
    const { id } = transfer;
    for (let change = 1; ; change += 1) {
      const volume = await volumesOf(this.store).find(transfer.volume);
      if (volume?.transfer !== id) return this.joinAccepted(id, volume, to, reply);
      const snapshots = transfer.withSnapshots ? await this.snapshotsOfVolume(volume) : [];
      const started = {
        ...acceptance(transfer, volume, snapshots, to),
        topic: this.topic,
        whenLost: 'refuse',
      } as const;
      const refused = () => errors.transferRefused(id);
      try {
        return await startTask(this.store, { ...started, refused }, volume, reply);
      } catch (error) {
        // The transfer has ended meanwhile, or a snapshot has changed: the next round finds out.
        if (!ofOthers.has(asError(error).code) || change === maxChanges) throw error;
      }
    }
  }

  /** A request that knew the key in time, and was made twice at once, has one effect and the same end. Throws TransferRefused. */
  private async joinAccepted(
    id: string,
    volume: VolumeState | undefined,
    { projectId, userId }: Receiver,
    reply?: ReplyTo,
  ): Promise<Sent> {
    if (volume?.projectId !== projectId || volume.userId !== userId) throw errors.transferRefused(id);
    return joinTask(this.store, volume, 'relabel', reply);
  }

  /** Throws TransferExpired: its volume is available again. */
  private async refuseExpired({ id, volume: volumeId, expires }: TransferState): Promise<void> {
    if ((await redisTime(this.store)) < expires) return;
    const volume = await volumesOf(this.store).find(volumeId);
    if (volume?.transfer === id) await endTransfer(this.store, volume);
    throw errors.transferExpired(id, volumeId);
  }

  /** Throws TooManySnapshots, RecordUnreadable. */
  private async snapshotsOfVolume({ id }: VolumeState): Promise<SnapshotState[]> {
    const key = this.store.keys.volumeSnapshots(id);
    const ids = await this.store.read((redis) => redis.zrange(key, '0', String(maxSnapshots)));
    if (ids.length > maxSnapshots) throw errors.tooManySnapshots(id, maxSnapshots);
    return snapshotsOf(this.store).findAll(ids);
  }

  /** Of a transfer whose volume awaits it no longer, as Redis has lost a change. */
  private removeRecord(id: string, volume: VolumeState | undefined): Promise<Outcome> {
    return commit(this.store, {
      edits: [
        { kind: 'transfer', id, remove: true },
        ...(volume ? [{ kind: 'volume', id: volume.id, expect: { transfer: volume.transfer } } as const] : []),
      ],
      event: 'transfer.delete',
      frees: true,
    });
  }
}

/** Whether a request for a transfer was sent before. */
function isSame(found: TransferState, volumeId: string, { name = '', withSnapshots }: NewTransfer): boolean {
  return found.volume === volumeId && found.name === name && found.withSnapshots === withSnapshots;
}
