import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type AttachmentState, isActive, parseAttachment } from './attachment-state.ts';
import { checkText } from './check-text.ts';
import { type RecordReader, Records } from './records.ts';
import type { VolumeState } from './volume-state.ts';
import { volumesOf } from './volume.ts';

/** What a volume is to be attached to. */
export interface Attachment {
  /** '': the host itself. */
  instanceId: string;
  mountpoint: string;
  hostName?: string;
  /** The machine id of the attaching host. */
  hostId?: string;
  /** The UUID of the libvirt domain. */
  domain?: string;
  /** The libvirt connection of the domain. */
  libvirtUri?: string;
  mode?: 'rw' | 'ro';
  /** Ethernet addresses (AoE), initiator names (iSCSI) or NQNs (NVMe) of the attaching host; none: all hosts. */
  hosts?: readonly string[];
}

/** A volume with one of its attachments. */
export interface AttachedVolume extends VolumeState {
  use: AttachmentState;
}

const reader: RecordReader<AttachmentState> = {
  recordKey: (store, id) => store.keys.attachment(id),
  parse: parseAttachment,
  notFound: errors.attachmentNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`attachment ${id}`, reason),
};

/** The records of attachments. */
export function attachmentsOf(store: Store): Records<AttachmentState> {
  return new Records(store, reader);
}

/** The attachments of a volume; `missing`: ids of those whose records are gone or cannot be read, and which the volume has nevertheless. */
export interface VolumeAttachments {
  states: readonly AttachmentState[];
  missing: readonly string[];
}

/** As they are now: without those that were deleted since the record of the volume was read. Throws RecordUnreadable. */
export async function allAttachments(
  store: Store,
  { id: volume, attachments }: Pick<VolumeState, 'id' | 'attachments'>,
): Promise<VolumeAttachments> {
  const known = await readAttachments(store, attachments);
  if (known.missing.length === 0) return known;
  // A deletion takes an attachment from its volume with its record; a request that is repeated makes one with the same id anew.
  const now = await volumesOf(store).find(volume);
  const { states, missing } = await readAttachments(
    store,
    known.missing.filter((id) => now?.attachments.includes(id)),
  );
  return { states: [...known.states, ...states], missing };
}

async function readAttachments(store: Store, ids: readonly string[]): Promise<VolumeAttachments> {
  const { states } = await attachmentsOf(store).readAll(ids);
  const read = new Set(states.map(({ id }) => id));
  return { states, missing: ids.filter((id) => !read.has(id)) };
}

/** Returns the others. */
export function withoutAttachment({ states, missing }: VolumeAttachments, id: string): VolumeAttachments {
  return { states: states.filter((one) => one.id !== id), missing: missing.filter((one) => one !== id) };
}

/** Returns those of a volume after the detach of one: the others, and that one as well where it is kept. */
export function afterDetach(all: VolumeAttachments, id: string): VolumeAttachments {
  const others = withoutAttachment(all, id);
  const kept = all.states.find((one) => one.id === id && one.isKept);
  return kept ? { ...others, states: [...others.states, { ...kept, status: 'reserved' }] } : others;
}

/** Throws RecordUnreadable, AttachmentLost where it is not known what one of them is. */
export async function requireAll(store: Store, { id }: VolumeState, { missing }: VolumeAttachments): Promise<void> {
  const [first] = missing;
  if (first === undefined) return;
  await attachmentsOf(store).find(first); // says why it cannot be read
  throw errors.attachmentLost(id, first);
}

/** Returns those of the volume that can be read, in the order in which they were made. */
export async function attachmentsOfVolume(
  store: Store,
  { attachments }: Pick<VolumeState, 'attachments'>,
): Promise<readonly AttachmentState[]> {
  return (await attachmentsOf(store).readAll(attachments)).states;
}

/** Returns what a volume is attached to, as a message names it. */
export async function usersOf(store: Store, volume: Pick<VolumeState, 'attachments'>): Promise<string> {
  return usersIn(await attachmentsOfVolume(store, volume));
}

/** The same of these attachments. */
export function usersIn(attachments: readonly AttachmentState[]): string {
  return attachments.flatMap(({ instanceId, hostName }) => instanceId || hostName || []).join(', ') || 'an instance';
}

/** Returns who has a volume by an attachment, or is to have it, as a message names it. */
export function userName(attachment: AttachmentState): string {
  return usersIn([attachment]);
}

/** Returns an attachment as a message names it. */
export function attachmentName({ id, instanceId, hostName }: AttachmentState): string {
  return `${instanceId || id}${hostName === '' || hostName === instanceId ? '' : ` on ${hostName}`}`;
}

/** Returns the volume with that attachment; one whose record is gone has nothing but its id. */
export async function withAttachment(store: Store, volume: VolumeState, id: string): Promise<AttachedVolume> {
  const [use = noAttachment(volume, id)] = id === '' ? [] : (await attachmentsOf(store).readAll([id])).states;
  return { ...volume, use };
}

/** What a volume has that is not attached. */
export function noAttachment({ id, projectId }: VolumeState, attachment = ''): AttachmentState {
  return {
    id: attachment,
    volume: id,
    projectId,
    status: 'detaching',
    instanceId: '',
    isRestored: false,
    isKept: false,
    hostName: '',
    hostId: '',
    domain: '',
    libvirtUri: '',
    mountpoint: '',
    mode: 'rw',
    hosts: [],
    createTime: 0,
    reserveTime: undefined,
    attachTime: undefined,
    completeTime: undefined,
    fault: undefined,
  };
}

/** Throws InvalidArgument. */
export function checkAttachment({ instanceId, mountpoint, hostName, libvirtUri }: Attachment): void {
  // A volume is attached to an instance, or to a host itself.
  if (instanceId !== '' || hostName === undefined) checkText('instanceId', instanceId);
  if (hostName !== undefined) checkText('hostName', hostName);
  if (libvirtUri !== undefined) checkText('libvirtUri', libvirtUri);
  checkMountpoint(mountpoint);
}

/** Throws InvalidArgument. */
export function checkMountpoint(mountpoint: string): void {
  if (!/^\/dev\/[A-Za-z0-9][A-Za-z0-9_/.:-]*$/.test(mountpoint) || mountpoint.includes('..')) {
    throw errors.invalidArgument('mount point', mountpoint, 'a device path such as /dev/vdb');
  }
}

/** Fields of the record of an attachment. */
export function attachmentSet(attachment: Attachment): Record<string, string> {
  const { instanceId, mountpoint, hostName = '', hostId = '', domain = '', libvirtUri = '' } = attachment;
  const { mode = 'rw', hosts = [] } = attachment;
  const given = { instanceId, mountpoint, hostName, hostId, domain, libvirtUri };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
    ...(mode === 'ro' ? { mode } : {}),
    ...(hosts.length === 0 ? {} : { hosts: hosts.join(',') }),
  };
}

/** What the record of a volume has of its attachments. */
export interface Rights {
  attachMode: 'rw' | 'ro';
  attachHosts: readonly string[];
}

/** Whether a host may use a volume that has these alone. */
export function isAttachedBy({ attachStatus }: VolumeState, { states, missing }: VolumeAttachments): boolean {
  return states.some(isActive) || (missing.length > 0 && attachStatus !== 'detached');
}

/** Returns the rights of the export of a volume that has these alone: where one of them is not known, as they are. */
export function rightsFor(volume: VolumeState, { states, missing }: VolumeAttachments): Rights {
  const { attachMode, attachHosts } = volume;
  return missing.length > 0 && isAttachedBy(volume, { states, missing })
    ? { attachMode, attachHosts }
    : rightsOf(states);
}

/** Returns the rights of an export for all of these: of one for all hosts, all. */
export function rightsOf(attachments: readonly AttachmentState[]): Rights {
  const active = attachments.filter(isActive);
  const isForAll = active.some(({ hosts }) => hosts.length === 0);
  return {
    attachMode: active.length > 0 && active.every(({ mode }) => mode === 'ro') ? 'ro' : 'rw',
    attachHosts: isForAll ? [] : [...new Set(active.flatMap(({ hosts }) => hosts))],
  };
}

/** Returns the fields of a volume's record that have these rights; '' = absent. */
export function rightsSet({ attachMode, attachHosts }: Rights): { attachMode: string; attachHosts: string } {
  return { attachMode: attachMode === 'ro' ? attachMode : '', attachHosts: attachHosts.join(',') };
}
