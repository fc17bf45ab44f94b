import { errors, asError } from '../errors.ts';
import { type AttachmentState, isActive, isReleased } from '../models/attachment-state.ts';
import {
  type AttachedVolume,
  type Attachment,
  attachmentName,
  attachmentSet,
  attachmentsOf,
  attachmentsOfVolume,
  checkAttachment,
  userName,
} from '../models/attachment.ts';
import { editOf, isAllowed } from '../models/volume-edit.ts';
import { type VolumeState, writeAnnounced } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sameHosts } from '../targets/hosts.ts';
import type { AttachmentCommands, EndOptions, HostOfAttachment } from './attachment-commands.ts';
import { maxChanges, refusal } from './start-task.ts';
import type { SendOptions, VolumeCommands } from './volume-commands.ts';

/**
 * Attachments in the steps of older clients, which name the volume and not the attachment: reserve, connect, attach; begin to detach,
 * disconnect, detach. Each is a step of a record of an attachment.
 */
export class LegacyAttachCommands {
  private readonly store: Store;
  private readonly commands: VolumeCommands;
  private readonly attachments: AttachmentCommands;

  constructor(store: Store, commands: VolumeCommands, attachments: AttachmentCommands) {
    this.store = store;
    this.commands = commands;
    this.attachments = attachments;
  }

  /** Keeps a volume for whoever connects it next. Throws what AttachmentCommands.reserve() throws. */
  reserve(volume: string, options: SendOptions = {}): Promise<AttachmentState> {
    return this.attachments.reserve(volume, { isAnnounced: true }, options);
  }

  /** The same is over, also where a host has connected the volume and has not attached it. Without one nothing happens. */
  async unreserve(id: string, options: EndOptions = {}): Promise<void> {
    const { announced } = await volumesOf(this.store).lookup(id);
    if (announced?.what === 'attach') await this.end(announced.attachment, options);
  }

  /** A client is about to detach a volume: no other begins it meanwhile. Throws VolumeNotFound, VolumeNotAttached, WrongStatus. */
  async beginDetach(id: string): Promise<void> {
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      if (!isAllowed('startDetach', volume)) throw await refusal(this.store, volume, 'startDetach');
      if (volume.announced) throw errors.volumeAnnounced(id, volume.announced.what);
      const first = (await attachmentsOfVolume(this.store, volume)).find(isActive);
      const attachment = first?.id ?? volume.attachments[0] ?? '';
      if (await this.announce(volume, writeAnnounced({ what: 'detach', attachment }))) return;
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /** The same is over, and the volume stays attached. Without one nothing happens. */
  async rollDetach(id: string): Promise<void> {
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      if (volume.announced?.what !== 'detach' || (await this.announce(volume, ''))) return;
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /**
   * Admits a host to the volume that was reserved, or that it has released; without a reservation it makes one. One that has the volume is
   * left as it is. Throws VolumeNotFound, and what AttachmentCommands.reserve() and update() throw.
   */
  async connect(id: string, host: HostOfAttachment, options: SendOptions = {}): Promise<AttachedVolume> {
    const volume = await volumesOf(this.store).lookup(id);
    const all = await attachmentsOfVolume(this.store, volume);
    const own = this.found(volume, all, host);
    if (own?.status === 'detaching') throw errors.attachmentInStatus(own.id, own.status, 'connecting or attached');
    if (own && own.status !== 'attaching') return { ...volume, use: own };
    const kept =
      own ??
      all.find((one) => one.status === 'reserved' && one.id === volume.announced?.attachment) ??
      all.find(isReleased);
    if (kept) return this.attachments.update(kept.id, host, options);
    const reserved = await this.reserve(id, options);
    try {
      return await this.attachments.update(reserved.id, host, options);
    } catch (error) {
      // What goes on in the background may still admit the host.
      if (asError(error).code !== 'NotFinished') await this.end(reserved.id, options);
      throw error;
    }
  }

  /** Returns the attachment that a host has a volume by; undefined where it has none. Throws VolumeNotFound. */
  async attachmentOf(id: string, host: HostOfAttachment): Promise<AttachmentState | undefined> {
    const volume = await volumesOf(this.store).lookup(id);
    return this.found(volume, await attachmentsOfVolume(this.store, volume), host);
  }

  /** The host of an attachment has disconnected the volume: the export is closed to it, and the attachment reserved again. */
  async release({ id, volume }: AttachmentState, options: SendOptions = {}): Promise<void> {
    try {
      await this.commands.detach(volume, { ...options, attachment: id, keeps: true });
    } catch (error) {
      const [now] = (await attachmentsOf(this.store).readAll([id])).states;
      // Another request has released it meanwhile, or ended it.
      if (asError(error).code !== 'VolumeNotAttached' || (now && isActive(now))) throw error;
    }
  }

  /**
   * The volume that was connected is used by an instance, or by the host itself. One that was not connected is attached at once, for all
   * hosts. Throws VolumeNotFound, VolumeAttached, VolumeReserved, VolumeReadOnly, WrongStatus, InvalidArgument.
   */
  async attach(id: string, attachment: Attachment, options: SendOptions & { deadlineMs: number }): Promise<void> {
    checkAttachment(attachment);
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      const all = await attachmentsOfVolume(this.store, volume);
      const own =
        volume.announced?.what === 'attach' ? all.find((one) => one.id === volume.announced?.attachment) : undefined;
      const { instanceId } = attachment;
      const same = all.find((one) => one !== own && instanceId !== '' && one.instanceId === instanceId);
      if (same && isActive(same) && !own) return; // it has been attached
      if (same) throw errors.volumeAttached(id, instanceId);
      if (!own) return void (await this.commands.attach(id, attachment, options));
      if (own.status !== 'connecting' && own.status !== 'attached') {
        await this.commands.attachAs(id, { id: own.id, attachment, reserved: 'before' }, options);
      } else if (await this.complete(volume, own, attachment)) return;
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /**
   * Returns the attachment that a detach means: that with the id, or the only one. Throws VolumeNotFound, VolumeNotAttached,
   * AttachmentNotFound, SeveralAttachments, VolumeReserved.
   */
  async meant(id: string, attachment: string | undefined): Promise<AttachmentState> {
    const volume = await volumesOf(this.store).lookup(id);
    if (attachment !== undefined) {
      if (!volume.attachments.includes(attachment)) throw errors.attachmentNotFound(attachment);
      return attachmentsOf(this.store).lookup(attachment);
    }
    const all = await attachmentsOfVolume(this.store, volume);
    const active = all.filter(isActive);
    const candidates = active.length > 0 ? active : all.filter(isReleased);
    const [only, second] = candidates;
    if (second) throw errors.severalAttachments(id, candidates.map(attachmentName));
    if (only) return only;
    const [reserved] = all;
    throw reserved ? errors.volumeReserved(id, userName(reserved), reserved.id) : errors.volumeNotAttached(id);
  }

  /** One that is gone meanwhile has ended. */
  private async end(attachment: string, options: EndOptions): Promise<void> {
    try {
      await this.attachments.delete(attachment, options);
    } catch (error) {
      if (asError(error).code !== 'AttachmentNotFound') throw error;
    }
  }

  /** That by which a host has the volume: the one that is being attached first. */
  private found(
    { announced }: VolumeState,
    all: readonly AttachmentState[],
    host: HostOfAttachment,
  ): AttachmentState | undefined {
    const own = all.filter((one) => isActive(one) && isOf(one, host));
    return own.find(({ id }) => id === announced?.attachment) ?? own[0];
  }

  /** Returns whether it has changed: not where the record has meanwhile. '': nothing is announced any more. */
  private async announce(volume: VolumeState, announced: string): Promise<boolean> {
    const change = announced === '' ? { unset: ['announced'] } : { set: { announced } };
    const expect = { announced: volume.announcedText, attachments: volume.attachments.join(',') };
    const outcome = await commit(this.store, {
      edits: [editOf(volume, 'describe', { ...change, expect })],
      event: 'volume.announce',
    });
    return outcome.word === 'ok';
  }

  /** The same. Throws VolumeAttached for another mode than that of the export. */
  private async complete(volume: VolumeState, own: AttachmentState, attachment: Attachment): Promise<boolean> {
    const { mode = 'rw' } = attachment;
    if (mode !== own.mode) throw errors.attachedInOtherMode(volume.id, userName(own), own.mode);
    const outcome = await commit(this.store, {
      edits: [
        editOf(volume, 'describe', { unset: ['announced'], expect: { announced: volume.announcedText } }),
        {
          kind: 'attachment',
          id: own.id,
          expect: { status: own.status },
          set: { ...attachmentSet(attachment), status: 'attached' },
          stamp: ['completeTime'],
        },
      ],
      event: 'attachment.complete',
    });
    return outcome.word === 'ok';
  }
}

/** Whether a host may have the volume by an attachment; storage that admits its hosts itself tells them apart by their names. */
function isOf({ hosts, hostName }: AttachmentState, host: HostOfAttachment): boolean {
  if (hosts.length > 0) return sameHosts(hosts, host.hosts ?? []);
  return hostName === '' || host.hostName === undefined || hostName === host.hostName;
}
