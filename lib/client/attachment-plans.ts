import { isEthernetAddress, maxHosts } from '../aoe/ethernet.ts';
import { errors } from '../errors.ts';
import { type AttachmentState, isActive } from '../models/attachment-state.ts';
import {
  type Attachment,
  attachmentName,
  attachmentSet,
  allAttachments,
  noAttachment,
  requireAll,
  rightsOf,
  rightsSet,
  userName,
  usersIn,
  withoutAttachment,
} from '../models/attachment.ts';
import { type Limits, areLimited, limitsSet, noLimits } from '../models/limits.ts';
import { limitsOfSpec } from '../models/qos-spec-state.ts';
import { qosSpecsOf } from '../models/qos-spec.ts';
import { typesOf } from '../models/type.ts';
import { isAllowed, withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';
import { sameHosts } from '../targets/hosts.ts';
import type { TaskPlan } from './start-task.ts';

/** Attachments that a volume has at most: a request reads all of them. */
export const maxAttachments = 64;

/** Of an attachment that a request was to make. */
export const madeByOther = 'another request has made it';

export interface PlannedAttach {
  /** The id of the attachment: a new one, or one that has been reserved. */
  id: string;
  attachment: Attachment;
  /** `before`: it has been reserved; `now`: it is, with the same change. Then its host has yet to say that it uses the volume. */
  reserved?: 'before' | 'now';
}

/**
 * Returns how a volume begins to be attached. One that Redis had lost, and that admits the same hosts with the same mode, becomes this
 * attachment, unless that is reserved. Throws VolumeReadOnly, VolumeAttached, VolumeReserved, TooManyAttachments, AttachmentNotFound,
 * AttachmentExists of one to be reserved now, WrongStatus, RecordUnreadable, AttachmentLost.
 */
export async function attachPlan(
  store: Store,
  volume: VolumeState,
  { id, attachment, reserved: isReserved }: PlannedAttach,
): Promise<TaskPlan> {
  const set = attachmentSet(attachment);
  const { mode = 'rw', hosts = [] } = attachment;
  const known = await allAttachments(store, volume);
  const all = known.states;
  const underWay = volume.task?.kind === 'attach' ? all.find((one) => one.id === volume.attachment) : undefined;
  if (underWay && hasArguments(underWay, set) && (isReserved !== 'now' || underWay.id === id)) {
    return { transition: 'startAttach', set: {}, edits: [], expect: {}, isUnderWay: true };
  }
  if (isReserved === 'now' && all.some((one) => one.id === id)) throw errors.attachmentExists(id, madeByOther);
  if (volume.isReadOnly && mode !== 'ro') throw errors.volumeReadOnly(volume.id);
  await requireAll(store, volume, known);
  const same = isReserved === 'before' ? reservedOne(id, all) : isReserved ? undefined : lostOne(all, { mode, hosts });
  const others = all.filter((one) => one.id !== same?.id);
  if (isAllowed('startAttach', volume) || isAllowed('startFurtherAttach', volume)) {
    refuseBeside(volume, others, attachment, { isKnown: same !== undefined });
  }
  const transition = isAllowed('startFurtherAttach', volume) ? 'startFurtherAttach' : 'startAttach';
  const own = { ...set, status: 'attaching' };
  const rights = rightsOf([...others, { ...planned(volume, same?.id ?? id), mode, hosts }]);
  refuseTooManyHosts(volume, rights.attachHosts);
  const ids = same ? volume.attachments : [...volume.attachments, id];
  // Hosts that have the volume share its limits. Redis may have lost those of an attachment that it had lost.
  const keepsLimits = transition === 'startFurtherAttach' && (areLimited(volume.limits) || others.some(isActive));
  const limits = keepsLimits ? {} : limitsSet(await limitsOf(store, volume));
  const given = { attachments: ids.join(','), attachment: same?.id ?? id, ...rightsSet(rights), ...limits };
  return {
    transition,
    ...withoutEmpty(given),
    edits: [
      same
        ? {
            kind: 'attachment',
            id: same.id,
            expect: { status: same.status },
            set: own,
            unset: ['restored', 'fault', ...hostFields.filter((field) => !(field in own))],
            stamp: ['attachTime'],
          }
        : {
            kind: 'attachment',
            id,
            insert: true,
            set: { ...own, volume: volume.id, projectId: volume.projectId },
            stamp: ['createTime', ...(isReserved ? ['reserveTime'] : []), 'attachTime'],
          },
    ],
    expect: { attachments: volume.attachments.join(','), readOnly: volume.isReadOnly ? 'true' : '' },
    isUnderWay: false,
  };
}

/** Those of its type, as it is now; a QoS spec with limits of its own takes their place. */
async function limitsOf(store: Store, { type }: VolumeState): Promise<Limits> {
  const [found] = type === '' ? [] : (await typesOf(store).readAll([type])).states;
  if (!found) return noLimits;
  const [spec] = found.qosSpec === '' ? [] : (await qosSpecsOf(store).readAll([found.qosSpec])).states;
  return spec ? limitsOfSpec(spec, found.limits) : found.limits;
}

/** vblade has one list for all attachments. Throws TooManyAttachments. */
function refuseTooManyHosts({ id }: VolumeState, hosts: readonly string[]): void {
  if (hosts.length > maxHosts && hosts.every(isEthernetAddress)) throw errors.tooManyHosts(id, hosts.length, maxHosts);
}

/** Redis had lost it, and it admits these hosts. */
function lostOne(
  all: readonly AttachmentState[],
  { mode, hosts }: Required<Pick<Attachment, 'mode' | 'hosts'>>,
): AttachmentState | undefined {
  return all.find((one) => one.isRestored && one.mode === mode && sameHosts(one.hosts, hosts));
}

/** Throws AttachmentNotFound, WrongStatus. */
function reservedOne(id: string, all: readonly AttachmentState[]): AttachmentState {
  const reserved = all.find((one) => one.id === id);
  if (!reserved) throw errors.attachmentNotFound(id);
  if (reserved.status !== 'reserved') throw errors.attachmentInStatus(id, reserved.status, 'reserved');
  return reserved;
}

/** Throws where a volume that others have cannot be attached to one more. */
export function refuseBeside(
  { id, isMultiattach }: VolumeState,
  others: readonly AttachmentState[],
  { instanceId = '', hostId = '', mode = 'rw' }: Partial<Attachment>,
  { isKnown }: { isKnown: boolean },
): void {
  const [first] = others;
  if (first === undefined) return;
  const isSame = (one: AttachmentState) =>
    (instanceId !== '' && one.instanceId === instanceId) || (hostId !== '' && one.hostId === hostId);
  const same = others.find(isSame);
  const held = same ?? (isMultiattach ? undefined : first);
  if (held && !isActive(held)) throw errors.volumeReserved(id, userName(held), held.id);
  if (held) throw errors.volumeAttached(id, userName(held));
  const otherwise = others.find((one) => isActive(one) && one.mode !== mode);
  if (otherwise) throw errors.attachedInOtherMode(id, userName(otherwise), otherwise.mode);
  if (!isKnown && others.length >= maxAttachments) throw errors.tooManyAttachments(id, maxAttachments);
}

/** What a record has of the host of an attachment, where that is known. */
const hostFields = ['mountpoint', 'hostName', 'hostId', 'domain', 'libvirtUri', 'mode', 'hosts'] as const;

function planned(volume: VolumeState, id: string): AttachmentState {
  return { ...noAttachment(volume), id, status: 'attaching' };
}

/** Which attachment a detach means: by its id, or by its instance, or the only one. */
export interface PlannedDetach {
  attachment?: string | undefined;
  instance?: string | undefined;
  /** Its host releases the volume, and the attachment is reserved again. */
  keeps?: boolean | undefined;
}

/**
 * Returns how a volume begins to be detached. Throws VolumeNotAttached (also where it has another attachment than the one that is meant),
 * SeveralAttachments, VolumeReserved, RecordUnreadable, AttachmentLost.
 */
export async function detachPlan(store: Store, volume: VolumeState, meant: PlannedDetach): Promise<TaskPlan> {
  const { keeps = false } = meant;
  // Its own record says only whether the task that is under way is the same, and what is kept.
  const isOthers = (one: string) => volume.task !== undefined || keeps || one !== meant.attachment;
  const all = await allAttachments(store, { id: volume.id, attachments: volume.attachments.filter(isOthers) });
  const id = meantBy(volume, all.states, meant);
  const others = withoutAttachment(all, id);
  await requireAll(store, volume, others);
  const attachments = { ...all, states: all.states.map((one) => (one.id === id ? { ...one, isKept: keeps } : one)) };
  const isKept = all.states.some((one) => one.id === id && one.isKept);
  return {
    transition: 'startDetach',
    set: { attachment: id },
    // Its end is no longer only announced.
    unset: volume.announced?.what === 'detach' && !keeps ? ['announced'] : [],
    edits: [
      {
        kind: 'attachment',
        id,
        set: { status: 'detaching', ...(keeps ? { kept: 'true' } : {}) },
        unset: ['fault', ...(keeps ? [] : ['kept'])],
        optional: true,
      },
    ],
    expect: { attachments: volume.attachments.join(',') },
    isUnderWay: volume.task?.kind === 'detach' && volume.attachment === id && isKept === keeps,
    attachments,
  };
}

function meantBy(volume: VolumeState, all: readonly AttachmentState[], meant: PlannedDetach): string {
  const { id, attachments, attachStatus } = volume;
  if (meant.attachment !== undefined) {
    if (attachments.includes(meant.attachment)) return meant.attachment;
    throw attachStatus === 'detached' ? errors.volumeNotAttached(id) : errors.attachmentEnded(id, usersIn(all));
  }
  const of = meant.instance === undefined ? all : all.filter(({ instanceId }) => instanceId === meant.instance);
  const active = of.filter(isActive);
  const [only, second] = active;
  if (second) throw errors.severalAttachments(id, active.map(attachmentName));
  if (only) return only.id;
  const [reserved] = of;
  if (reserved) throw errors.volumeReserved(id, userName(reserved), reserved.id);
  if (meant.instance !== undefined) throw errors.notAttachedTo(id, meant.instance);
  // Redis may have lost the record of its attachment.
  const [lost] = attachStatus === 'detached' ? [] : attachments;
  if (lost === undefined) throw errors.volumeNotAttached(id);
  return lost;
}

/** Whether an attachment has these fields of attachmentSet(). */
export function hasArguments(one: AttachmentState, set: Readonly<Record<string, string>>): boolean {
  const { instanceId, mountpoint, hostName, hostId, domain, libvirtUri, mode, hosts } = one;
  const has: Record<string, string> = { instanceId, mountpoint, hostName, hostId, domain, libvirtUri };
  const asked = (set['hosts'] ?? '').split(',').filter((host) => host !== '');
  return (
    Object.entries(has).every(([name, value]) => value === (set[name] ?? '')) &&
    mode === (set['mode'] ?? 'rw') &&
    sameHosts(hosts, asked)
  );
}
