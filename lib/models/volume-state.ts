import { metadataIn } from './metadata.ts';
import { z } from 'zod';
import type { Fault } from '../errors.ts';
import type { Chap } from '../targets/target.ts';
import { parseChap } from './chap.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { type Limits, limitsIn } from './limits.ts';
import { type RestoreSource, sourceIn } from './restore-source.ts';
import { addressIn } from './stored-address.ts';
import { type Task, type TaskKind, parseTask } from './task.ts';

export const volumeStatuses = [
  'creating',
  'available',
  'reserved',
  'in-use',
  'error',
  'deleting',
  'error_deleting',
  'error_attaching',
  'error_detaching',
  'extending',
  'error_extending',
  'awaiting-transfer',
  'transferring',
  'migrating',
  'restoring',
  'error_restoring',
] as const;
export type VolumeStatus = (typeof volumeStatuses)[number];

export const attachStatuses = ['detached', 'attaching', 'attached', 'detaching'] as const;
export type AttachStatus = (typeof attachStatuses)[number];

/** A volume's record. Times are milliseconds since the epoch, sizes whole GiB (0: 100 MiB); '' means "not set". */
export interface VolumeState {
  id: string;
  name: string;
  size: number;
  /** What it is being extended to: space for it is allocated already. */
  newSize: number | undefined;
  userId: string;
  projectId: string;
  availabilityZone: string;
  /** The node that owns it. */
  node: string;
  /** Which backend of that node. */
  backend: string;
  status: VolumeStatus;
  attachStatus: AttachStatus;
  /** The ids of its attachments, also of those that are reserved. */
  attachments: readonly string[];
  /** The one that the task is about; '' = none. */
  attachment: string;
  /** What a client of the API has said that it is about to do, in steps; its text in the record. */
  announced: Announced | undefined;
  announcedText: string;
  /** Several hosts can have it at once. */
  isMultiattach: boolean;
  /** Of all its attachments together, as its export has them. */
  attachMode: 'rw' | 'ro';
  /** Ethernet addresses (AoE), initiator names (iSCSI) or NQNs (NVMe) that may use the export while it is attached; none: all. */
  attachHosts: readonly string[];
  /** With what the hosts authenticate themselves; never shown or logged. */
  chap: Chap | undefined;
  /** Those of its type when it was attached. */
  limits: Limits;
  deleteOnTermination: boolean;
  /** The id of its type; '' = none. */
  type: string;
  /** The id of its group; '' = none. */
  group: string;
  /** The zone that was asked for; '' = any. */
  wantedZone: string;
  /** Volumes on whose nodes it was not to be. */
  apartFrom: readonly string[];
  description: string;
  /** An instance can start from it. */
  isBootable: boolean;
  /** The id of the key that its hosts encrypt it with; '' = it is not encrypted. */
  encryptionKey: string;
  /** A host has formatted it. */
  isFormatted: boolean;
  /** It is attached read-only. */
  isReadOnly: boolean;
  /** What its users note of it. */
  metadata: Readonly<Record<string, string>>;
  /** What they note of the image that its data are of. */
  imageMetadata: Readonly<Record<string, string>>;
  /** Where the export is found; its form belongs to the target. */
  address: string;
  /** The node that owns the shelf of its address, where that is another one: it has kept the address since it migrated; '' = none. */
  lender: string;
  createTime: number;
  /** Percent of a long step, such as wiping. */
  progress: number | undefined;
  /** The step that is being retried, and how often it failed. */
  step: string;
  attempts: number;
  fault: Fault | undefined;
  /** What its first data are of: a snapshot, another volume, or an image; '' = it began empty. */
  fromSnapshot: string;
  fromVolume: string;
  fromImage: string;
  fromBackup: string;
  /** They are still being copied: that snapshot, volume or image is needed. */
  isCopying: boolean;
  /** What it is made from is on its backend; another one is to have it: it takes no space of its own. */
  isSent: boolean;
  /** The snapshot that the task is about; '' = none. */
  snapshot: string;
  /** Of one that is deleted with its snapshots: its node deletes them before it. */
  deletesSnapshots: boolean;
  /** Ids of snapshots whose records went with its own while its node was lost. */
  leftSnapshots: readonly string[];
  /** The image or backup that the task makes; '' = none. */
  image: string;
  backup: string;
  /** That whose data it is getting, wholly or half, in place of its own. */
  restoreFrom: RestoreSource | undefined;
  /** When the restore that is under way began, and the last one that has replaced its data: its storage has that time in its labels. */
  restoreTime: number | undefined;
  restoredTime: number | undefined;
  /** The transfer that offers it to another project, and when that expires; '' = none. */
  transfer: string;
  transferExpires: number | undefined;
  /** The migration that moves it to another backend; '' = none, or it is there already. */
  migration: string;
  /** The place, `node@backend`, that it had before the last one; '' = none. */
  movedFrom: string;
  /** Who asked for what is under way, as `user@host`; '' where nobody did. */
  requestedBy: string;
  /** What is under way, and its text in the record. */
  task: Task | undefined;
  taskText: string;
}

/** That a client attaches the volume, for which one is reserved, or detaches it; until it has, or takes that back. */
export interface Announced {
  what: 'attach' | 'detach';
  attachment: string;
}

/** Returns its text in a record. */
export function writeAnnounced({ what, attachment }: Announced): string {
  return `${what} ${attachment}`;
}

/** Undefined where the attachment is gone: it is over. */
export function announcedIn(text: string, attachments: readonly string[]): Announced | undefined {
  const [what, attachment = ''] = text.split(' ');
  const isKnown = what === 'attach' || what === 'detach';
  return isKnown && attachments.includes(attachment) ? { what, attachment } : undefined;
}

export function isVolumeStatus(value: string): value is VolumeStatus {
  return volumeStatuses.some((status) => status === value);
}

function isAttachStatus(value: string): value is AttachStatus {
  return attachStatuses.some((status) => status === value);
}

const wholeNumber = z.string().regex(/^\d{1,16}$/);

function number(hash: Hash, field: string): number | undefined {
  const text = hash[field];
  if (text === undefined) return undefined;
  if (!wholeNumber.safeParse(text).success) throw new UnreadableError(`has ${field} ${JSON.stringify(text)}`);
  return Number(text);
}

function idsIn(hash: Hash, field: string): readonly string[] {
  const text = hash[field];
  const ids = text?.split(',') ?? [];
  if (!ids.every(isId)) throw new UnreadableError(`has ${field} ${JSON.stringify(text)}`);
  return ids;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseVolume(id: string, hash: Hash): VolumeState {
  const { status = '', attachStatus = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!isVolumeStatus(status)) throw new UnreadableError(`has status ${JSON.stringify(status)}`);
  if (!isAttachStatus(attachStatus)) throw new UnreadableError(`has attach status ${JSON.stringify(attachStatus)}`);
  const { attachMode = 'rw' } = hash;
  // Taken for rw, a volume that is attached read-only would be exported with the right to write.
  if (attachMode !== 'rw' && attachMode !== 'ro')
    throw new UnreadableError(`has attach mode ${JSON.stringify(attachMode)}`);
  const size = number(hash, 'size');
  const createTime = number(hash, 'createTime');
  if (hash['encryptionKey'] !== undefined && !isId(hash['encryptionKey']))
    throw new UnreadableError(`has encryptionKey ${JSON.stringify(hash['encryptionKey'])}`);
  if (size === undefined || createTime === undefined) throw new UnreadableError('lacks its size or creation time');
  const { task: taskText = '', announced: announcedText = '' } = hash;
  const attachments = idsIn(hash, 'attachments');
  return {
    id,
    name: hash['name'] ?? '',
    size,
    newSize: number(hash, 'newSize'),
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    availabilityZone: hash['availabilityZone'] ?? '',
    node: hash['node'] ?? '',
    backend: hash['backend'] ?? '',
    status,
    attachStatus,
    attachments,
    announced: announcedIn(announcedText, attachments),
    announcedText,
    attachment: hash['attachment'] ?? '',
    isMultiattach: hash['multiattach'] === 'true',
    attachMode,
    attachHosts: hash['attachHosts'] === undefined ? [] : hash['attachHosts'].split(','),
    chap: hash['chap'] === undefined ? undefined : parseChap(hash['chap']),
    limits: limitsIn(hash),
    deleteOnTermination: hash['deleteOnTermination'] === 'true',
    type: hash['type'] ?? '',
    group: hash['group'] ?? '',
    wantedZone: hash['wantedZone'] ?? '',
    apartFrom: hash['apartFrom'] === undefined ? [] : hash['apartFrom'].split(','),
    description: hash['description'] ?? '',
    isBootable: hash['bootable'] === 'true',
    encryptionKey: hash['encryptionKey'] ?? '',
    isFormatted: hash['formatted'] === 'true',
    isReadOnly: hash['readOnly'] === 'true',
    metadata: metadataIn(hash),
    imageMetadata: metadataIn(hash, 'image'),
    address: addressIn(id, hash['address'] ?? ''),
    lender: hash['lender'] ?? '',
    createTime,
    progress: number(hash, 'progress'),
    step: hash['step'] ?? '',
    attempts: number(hash, 'attempts') ?? 0,
    fault: hash['fault'] === undefined ? undefined : parseFault(hash['fault']),
    fromSnapshot: hash['fromSnapshot'] ?? '',
    fromVolume: hash['fromVolume'] ?? '',
    fromImage: hash['fromImage'] ?? '',
    fromBackup: hash['fromBackup'] ?? '',
    isCopying: hash['copying'] === 'true',
    isSent: hash['sent'] === 'true',
    snapshot: hash['snapshot'] ?? '',
    deletesSnapshots: hash['withSnapshots'] === 'true',
    leftSnapshots: idsIn(hash, 'leftSnapshots'),
    image: hash['image'] ?? '',
    backup: hash['backup'] ?? '',
    restoreFrom: sourceIn(hash['restoreFrom'] ?? ''),
    restoreTime: number(hash, 'restoreTime'),
    restoredTime: number(hash, 'restoredTime'),
    transfer: hash['transfer'] ?? '',
    transferExpires: number(hash, 'transferExpires'),
    migration: hash['migration'] ?? '',
    movedFrom: hash['movedFrom'] ?? '',
    requestedBy: hash['by'] ?? '',
    task: taskText === '' ? undefined : parseTask(taskText),
    taskText,
  };
}

/** Whether its first data are of an image or a backup, which its node reads. */
export function isFilled({ fromImage, fromBackup }: Pick<VolumeState, 'fromImage' | 'fromBackup'>): boolean {
  return fromImage !== '' || fromBackup !== '';
}

/** Whether its node still has something to do to it. */
export function isTransitional(volume: VolumeState): boolean {
  return volume.task !== undefined;
}

/** What the statuses of a volume with that task are; every other pair is a contradiction. */
const taskStatuses: Record<TaskKind, { status?: VolumeStatus; attachStatus: readonly AttachStatus[] }> = {
  create: { status: 'creating', attachStatus: ['detached'] },
  delete: { status: 'deleting', attachStatus: ['detached'] },
  attach: { status: 'in-use', attachStatus: ['attaching'] },
  detach: { attachStatus: ['detaching'] },
  extend: { status: 'extending', attachStatus: ['detached', 'attached'] },
  snapshot: { attachStatus: ['detached', 'attached'] },
  'delete-snapshot': { attachStatus: ['detached', 'attached'] },
  'group-snapshot': { attachStatus: ['detached', 'attached'] },
  'delete-group-snapshot': { attachStatus: ['detached', 'attached'] },
  upload: { status: 'available', attachStatus: ['detached'] },
  backup: { status: 'available', attachStatus: ['detached'] },
  relabel: { status: 'transferring', attachStatus: ['detached'] },
  rename: { attachStatus: ['detached', 'attached'] },
  migrate: { status: 'migrating', attachStatus: ['detached', 'attached'] },
  restore: { status: 'restoring', attachStatus: ['detached'] },
};

/** Returns how the statuses of a record contradict each other or its task, or undefined. */
export function contradiction(volume: VolumeState): string | undefined {
  const { status, attachStatus, task, newSize, transfer, migration, restoreFrom } = volume;
  const isAttached = attachStatus === 'attached';
  const isOffered = status === 'awaiting-transfer';
  if (isOffered && transfer === '') return `is ${status} without a transfer`;
  if (!isOffered && transfer !== '') return `is ${status} with a transfer`;
  const isAtSource = task !== undefined && task.copied === undefined;
  const leaves = isAtSource && task.kind === 'migrate';
  if (leaves && migration === '') return 'has no migration during its migrate';
  const isMadeElsewhere = isAtSource && volume.isSent;
  const isLost = !task && status === 'error'; // in the middle of it, with its node
  if (!leaves && !isMadeElsewhere && !isLost && migration !== '') return `is ${status} with a migration`;
  if (status === 'restoring' && !restoreFrom) return 'is restoring, and does not say from what';
  const { attachments, attachment } = volume;
  if (attachStatus !== 'detached' && attachments.length === 0) return `is ${attachStatus} without an attachment`;
  if (status === 'reserved' && attachments.length === 0) return 'is reserved without an attachment';
  if (status === 'available' && attachments.length > 0) return 'is available with an attachment';
  if ((task?.kind === 'attach' || task?.kind === 'detach') && !attachments.includes(attachment))
    return `has its ${task.kind} under way for an attachment that it does not have`;
  if (task) {
    const { status: required = status, attachStatus: attach } = taskStatuses[task.kind];
    if (task.kind === 'extend' && newSize === undefined) return 'has no new size during its extend';
    if (status === required && attach.includes(attachStatus)) return undefined;
    return `is ${status}, ${attachStatus} during its ${task.kind}`;
  }
  if (newSize !== undefined) return `has the new size ${newSize} without an extend`;
  const isTaskStatus = ['creating', 'deleting', 'extending', 'transferring', 'migrating', 'restoring'].includes(status);
  if (isTaskStatus || attachStatus === 'attaching' || attachStatus === 'detaching') {
    return `is ${status}, ${attachStatus} without a task`;
  }
  if (status === 'error' || status === 'error_deleting' || status === 'error_extending') return undefined;
  const needsAttachment = status === 'in-use' || status === 'error_detaching';
  return needsAttachment === isAttached ? undefined : `is ${status} and ${attachStatus}`;
}
