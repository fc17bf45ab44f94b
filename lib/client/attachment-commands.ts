import { randomUUID } from 'node:crypto';
import { asError, errors } from '../errors.ts';
import { type AttachmentState, isReleased, parseAttachment } from '../models/attachment-state.ts';
import {
  type AttachedVolume,
  type Attachment,
  allAttachments,
  attachmentSet,
  attachmentsOf,
  checkMountpoint,
  requireAll,
} from '../models/attachment.ts';
import { checkText } from '../models/check-text.ts';
import { isId } from '../models/id.ts';
import { editOf, isAllowed, withoutEmpty } from '../models/volume-edit.ts';
import { type VolumeState, parseVolume, writeAnnounced } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { hasArguments, refuseBeside } from './attachment-plans.ts';
import { othersTurnEnded } from './turns.ts';
import { beingDeleted, firstDifference } from './differences.ts';
import { endIfExpired } from './end-transfer.ts';
import { maxChanges, refusal } from './start-task.ts';
import type { SendOptions, VolumeCommands } from './volume-commands.ts';

/** What a volume is kept for. */
export interface Reservation {
  /** Given by a requester that may ask twice: of the attachment. */
  id?: string;
  /** Default: none, the volume is for a host itself. */
  instanceId?: string;
  mountpoint?: string;
  hostName?: string;
  mode?: 'rw' | 'ro';
  /** The client says that it attaches the volume, and with what: see Announced. */
  isAnnounced?: true;
}

/** What the host of an attachment says of itself; what is not given is as it was reserved. */
export type HostOfAttachment = Partial<Omit<Attachment, 'instanceId'>>;

/** `check`: throws where the attachment, as it is then, is not to be ended. */
export interface EndOptions extends SendOptions {
  check?: (attachment: AttachmentState) => void;
}

/** Attachments in steps, as the programs of clouds make them: a volume is kept for one, a host gets it, the host says that it uses it. */
export class AttachmentCommands {
  private readonly store: Store;
  private readonly commands: VolumeCommands;

  constructor(store: Store, commands: VolumeCommands) {
    this.store = store;
    this.commands = commands;
  }

  /**
   * Keeps a volume for an instance: nobody else can attach it, delete it or offer it. A repeated request with the same id and arguments has
   * one effect; with a deadline it waits for others that attach or detach the volume. Throws VolumeNotFound, VolumeAttached, VolumeReserved,
   * WrongStatus, TooManyAttachments, InvalidArgument, AttachmentExists, RecordUnreadable, AttachmentLost.
   */
  async reserve(
    volumeId: string,
    reservation: Reservation,
    { deadlineMs = 0 }: SendOptions = {},
  ): Promise<AttachmentState> {
    const until = performance.now() + deadlineMs;
    const { id, instanceId, mountpoint } = checked(reservation);
    const { mode, isAnnounced } = reservation;
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(volumeId);
      const found = await attachmentsOf(this.store).find(id);
      if (found) return repeated(found, volumeId, reservation);
      const transition = isAllowed('reserveFurther', volume) ? 'reserveFurther' : 'reserve';
      if (isAnnounced && volume.announced) throw errors.volumeAnnounced(volumeId, volume.announced.what);
      if (!isAllowed(transition, volume)) {
        if (await endIfExpired(this.store, volume)) continue;
        if (await othersTurnEnded(this.store, volume, { attachment: id, until })) {
          change = 0;
          continue;
        }
        throw await refusal(this.store, volume, transition);
      }
      const others = await allAttachments(this.store, volume);
      await requireAll(this.store, volume, others);
      refuseBeside(volume, others.states, { instanceId, ...(mode === undefined ? {} : { mode }) }, { isKnown: false });
      const attachments = [...volume.attachments, id].join(',');
      const set = {
        ...attachmentSet({ ...reservation, instanceId, mountpoint }),
        volume: volumeId,
        projectId: volume.projectId,
        status: 'reserved',
      };
      const announced = isAnnounced ? { announced: writeAnnounced({ what: 'attach', attachment: id }) } : {};
      const expect = {
        attachments: volume.attachments.join(','),
        ...(isAnnounced ? { announced: volume.announcedText } : {}),
      };
      const outcome = await commit(this.store, {
        edits: [
          editOf(volume, transition, { set: { attachments, ...announced }, expect }),
          { kind: 'attachment', id, insert: true, set, stamp: ['createTime', 'reserveTime'] },
        ],
        event: 'volume.reserve',
        returns: true,
      });
      if (outcome.word === 'ok') return parseAttachment(id, outcome.records[1] ?? {});
    }
    throw errors.wrongStatus(volumeId, 'being changed', 'no other request at the same time');
  }

  /**
   * Admits a host to the volume that an attachment keeps: then it can connect. A repeated request has one effect. Throws AttachmentNotFound,
   * WrongStatus, VolumeReadOnly, VolumeAttached, NodeLost, InvalidArgument; a call also what kept the node from it, after which the attachment
   * is gone.
   */
  async update(id: string, host: HostOfAttachment, options: SendOptions = {}): Promise<AttachedVolume> {
    return this.admit(await attachmentsOf(this.store).lookup(id), host, options);
  }

  private async admit(
    reserved: AttachmentState,
    host: HostOfAttachment,
    options: SendOptions,
  ): Promise<AttachedVolume> {
    const { id, volume, instanceId, mountpoint, hostName, mode, status } = reserved;
    const kept = { instanceId, mountpoint, mode, ...(hostName === '' ? {} : { hostName }) };
    const attachment = withHost(kept, host);
    const isHere = status === 'connecting' || status === 'attached';
    if (isHere && hasArguments(reserved, attachmentSet(attachment))) {
      return { ...(await volumesOf(this.store).lookup(volume)), use: reserved };
    }
    return this.commands.attachAs(volume, { id, attachment, reserved: 'before' }, options);
  }

  /**
   * Both in one change set, of a volume as it was just read: where the host is not admitted, the volume is not kept either. A repeated
   * request with the same id and arguments has one effect. Throws what reserve() and update() throw.
   */
  async reserveFor(
    volume: VolumeState,
    { reservation, host }: { reservation: Omit<Reservation, 'isAnnounced'>; host: HostOfAttachment },
    options: SendOptions = {},
  ): Promise<AttachedVolume> {
    const { id, ...kept } = checked(reservation);
    const attachment = withHost(kept, host);
    try {
      return await this.commands.attachAs(volume, { id, attachment, reserved: 'now' }, options);
    } catch (error) {
      if (asError(error).code !== 'AttachmentExists') throw error;
      return this.admit(repeated(await attachmentsOf(this.store).lookup(id), volume.id, reservation), host, options);
    }
  }

  /**
   * The host says that it uses the volume. A repeated request has one effect. Throws AttachmentNotFound, WrongStatus, and what `check`
   * throws for the attachment as it is.
   */
  async complete(id: string, { check = () => {} }: Pick<EndOptions, 'check'> = {}): Promise<AttachmentState> {
    for (let change = 0; change < maxChanges; change += 1) {
      const attachment = await attachmentsOf(this.store).lookup(id);
      check(attachment);
      if (attachment.status === 'attached') return attachment;
      if (attachment.status !== 'connecting') throw errors.attachmentInStatus(id, attachment.status, 'connecting');
      const outcome = await commit(this.store, {
        edits: [
          {
            kind: 'attachment',
            id,
            expect: { status: 'connecting' },
            set: { status: 'attached' },
            stamp: ['completeTime'],
          },
        ],
        event: 'attachment.complete',
      });
      if (outcome.word === 'ok') return { ...attachment, status: 'attached', completeTime: Number(outcome.time) };
    }
    throw errors.attachmentInStatus(id, 'being changed', 'connecting');
  }

  /**
   * Ends an attachment: its host loses the volume first. Throws AttachmentNotFound, WrongStatus while the host is getting it, and what
   * `check` throws for the attachment as it is; a call also what kept the node from it. Returns the record of the volume, as detach() does;
   * undefined where there is none.
   */
  async delete(id: string, { check = () => {}, ...options }: EndOptions = {}): Promise<VolumeState | undefined> {
    for (let change = 0; change < maxChanges; change += 1) {
      const attachment = await attachmentsOf(this.store).lookup(id);
      check(attachment);
      const { volume: volumeId, status } = attachment;
      if (status !== 'reserved') {
        const detached = await this.detached(attachment, options);
        if (detached) return detached;
        continue;
      }
      const volume = await volumesOf(this.store).find(volumeId);
      const ofVolume = volume ? [withoutReservation(volume, id)] : [];
      const outcome = await commit(this.store, {
        edits: [{ kind: 'attachment', id, expect: { status }, remove: true }, ...ofVolume],
        event: 'attachment.delete',
        returns: true,
        frees: true,
      });
      const record = outcome.word === 'ok' ? outcome.records[1] : undefined;
      if (outcome.word === 'ok') return record && parseVolume(volumeId, record);
    }
    throw errors.attachmentInStatus(id, 'being changed', 'reserved');
  }

  /** Undefined where another request has ended the attachment meanwhile, or its host has released it. */
  private async detached(
    { id, volume, status }: AttachmentState,
    options: SendOptions,
  ): Promise<VolumeState | undefined> {
    try {
      return await this.commands.detach(volume, { ...options, attachment: id });
    } catch (error) {
      const isElsewhere = asError(error).code === 'VolumeNotAttached';
      if (!isElsewhere || (await attachmentsOf(this.store).find(id))?.status === status) throw error;
      return undefined;
    }
  }
}

/** Throws InvalidArgument. */
function checked({
  id = randomUUID(),
  instanceId = '',
  mountpoint = '',
  hostName,
  mode,
}: Reservation): Attachment & { id: string } {
  if (!isId(id)) throw errors.invalidArgument('id', id, 'a UUID in lower case');
  if (instanceId !== '') checkText('instanceId', instanceId);
  if (hostName !== undefined) checkText('hostName', hostName);
  if (mountpoint !== '') checkMountpoint(mountpoint);
  const host = { ...(hostName === undefined ? {} : { hostName }), ...(mode === undefined ? {} : { mode }) };
  return { id, instanceId, mountpoint, ...host };
}

/** Throws InvalidArgument. */
function withHost(kept: Attachment, host: HostOfAttachment): Attachment {
  const attachment: Attachment = { ...kept, ...host };
  if (attachment.hostName !== undefined) checkText('hostName', attachment.hostName);
  if (attachment.mountpoint !== '') checkMountpoint(attachment.mountpoint);
  return attachment;
}

/**
 * Returns an attachment that a request for its id finds. What was left out in that is as it is by now, where a host has been admitted.
 * Throws AttachmentExists.
 */
function repeated(found: AttachmentState, volume: string, request: Reservation): AttachmentState {
  const { id, status } = found;
  const isNew = status === 'reserved' && !isReleased(found);
  const left = isNew ? { instanceId: '', mountpoint: '', hostName: '', mode: 'rw' } : found;
  const difference = firstDifference([
    ['volume', found.volume, volume],
    ['instance', found.instanceId, request.instanceId ?? left.instanceId],
    ['mount point', found.mountpoint, request.mountpoint ?? left.mountpoint],
    ['host', found.hostName, request.hostName ?? left.hostName],
    ['mode', found.mode, request.mode ?? left.mode],
  ]);
  const reason = difference ?? (status === 'detaching' ? beingDeleted : undefined);
  if (reason !== undefined) throw errors.attachmentExists(id, reason);
  return found;
}

function withoutReservation(volume: VolumeState, id: string): Edit {
  const attachments = volume.attachments.filter((one) => one !== id).join(',');
  const announced = volume.announced?.attachment === id ? '' : volume.announcedText;
  const name = isAllowed('unreserve', volume) ? 'unreserve' : 'unreserveFurther';
  const expect = { attachments: volume.attachments.join(','), announced: volume.announcedText };
  return editOf(volume, name, { ...withoutEmpty({ attachments, announced }), expect });
}
