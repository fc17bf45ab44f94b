import { pooledAddress } from '../../lib/aoe/address.ts';
import type { Labels, VolumeSpec } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import type { SnapshotSpec } from '../../lib/drivers/snapshots.ts';
import { taskKey, writeTask } from '../../lib/models/task.ts';
import { isId } from '../../lib/models/id.ts';
import { areLimited, limitsOfStorage } from '../../lib/models/limits.ts';
import { sourceIn, sourceName, writeSource } from '../../lib/models/restore-source.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import type { Backend } from './backends.ts';

/** On storage that came with a migration: from where. */
export const fromLabel = 'from';
/** The node that owns the shelf of its address, where that is another one. */
export const lenderLabel = 'lender';
/** On storage that gets other data in place of its own: whose, until all of them are there. Then when that restore began. */
export const restoreLabel = 'restore';
export const restoredLabel = 'restored';

/** A record as a driver sees it. */
export function volumeSpec(volume: VolumeState): VolumeSpec {
  const {
    id,
    size,
    name,
    userId,
    projectId,
    address: text,
    createTime,
    isCopying,
    fromImage,
    fromBackup,
    movedFrom,
    status,
    encryptionKey,
    restoreFrom,
    lender,
    restoredTime = '',
  } = volume;
  const address = pooledAddress(text); // the others can be derived from the id
  // Until all of its data are there.
  const [image, backup] = isCopying ? [fromImage, fromBackup] : ['', ''];
  const isRestoring = status === 'restoring' || status === 'error_restoring';
  const given = {
    user: userId,
    project: projectId,
    size: String(size),
    name,
    address,
    [lenderLabel]: address === '' ? '' : lender,
    created: String(createTime),
    key: encryptionKey,
    image,
    backup,
    [fromLabel]: movedFrom,
    [restoreLabel]: isRestoring && restoreFrom ? writeSource(restoreFrom) : '',
    [restoredLabel]: isRestoring ? '' : String(restoredTime),
  };
  const labels = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  return { id, size, sizeBytes: sizeInBytes(size), labels };
}

/** Labels of storage that is not the volume's: of a copy that is being made, whose value is the source, and of what a volume has left. */
export const copyLabel = 'copy';
export const movedLabel = 'moved';
/** On such storage where several nodes reach it: the node that alone uses or removes it. */
export const keeperLabel = 'keeper';

/** Whether it is a copy that is not complete, or storage that its volume has left. */
export function isMarked(labels: Labels): boolean {
  return labels[copyLabel] !== undefined || labels[movedLabel] !== undefined;
}

/** Whether the record says that its storage is absent; a failed attach alone may have found that. */
export function isMarkedMissing({ status, fault }: VolumeState): boolean {
  return status === 'error' && fault?.code === 'StorageMissing';
}

/**
 * Whether the storage is a copy that a migration was making, while the record, of an older state of Redis, has the volume there from before. A
 * volume in error that has come from the same place has all of its data: its node was lost, or failed, before the label was removed.
 */
export function isIncompleteCopy({ fault, movedFrom }: VolumeState, { [copyLabel]: source }: Labels): boolean {
  const isInterrupted = fault?.code === 'NodeLost' || fault?.code === 'ArrivalFailed';
  return source !== undefined && !(isInterrupted && source === movedFrom);
}

/** Fields of the record of a volume whose storage does not have all of its data yet, as its labels say; undefined where it has them. */
export function unfinishedIn({ image, backup, [restoreLabel]: restore }: Labels): UnfinishedFields | undefined {
  if (restore !== undefined) return { restoreFrom: restore };
  if (image !== undefined) return { copying: 'true', fromImage: image };
  return backup === undefined ? undefined : { copying: 'true', fromBackup: backup };
}

/** Returns what such storage has in part, as a message names it; '' where it has all of its data. */
export function unfinishedSource({ image, backup, [restoreLabel]: restore = '' }: Labels): string {
  const source = sourceIn(restore);
  if (source) return sourceName(source);
  if (image !== undefined) return `image ${image}`;
  return backup === undefined ? '' : `backup ${backup}`;
}

type UnfinishedFields = Readonly<
  { restoreFrom: string } | { copying: 'true'; fromImage: string } | { copying: 'true'; fromBackup: string }
>;

/** Fields of a record whose volume gets the rest of its data. */
export function filling(unfinished: UnfinishedFields): Record<string, string> {
  const [status, kind] =
    'copying' in unfinished ? (['creating', 'create'] as const) : (['restoring', 'restore'] as const);
  return { ...unfinished, status, task: writeTask({ kind, key: taskKey(), pinned: true }) };
}

/**
 * The storage of a volume with a label of a migration, `node@backend`. Its address belongs to its present place; what an attached volume has
 * left has that still.
 */
export function markedSpec(volume: VolumeState, label: string, place: string, keeper?: string): VolumeSpec {
  const movesAddress = label === movedLabel && volume.attachStatus !== 'detached';
  const spec = volumeSpec(movesAddress ? volume : { ...volume, address: '' });
  return { ...spec, labels: { ...spec.labels, [label]: place, ...keptBy(keeper) } };
}

export function keptBy(keeper: string | undefined): Labels {
  return keeper === undefined ? {} : { [keeperLabel]: keeper };
}

/** A snapshot as a driver sees it: of the volume with the size that it had then. */
export function snapshotSpec(volume: VolumeState, snapshot: SnapshotState): SnapshotSpec {
  const { id, size } = snapshot;
  return { id, volume: volumeSpec({ ...volume, size }), labels: snapshotLabels(snapshot) };
}

/** On a snapshot of a group snapshot: its id. */
export const groupLabel = 'group';

export function snapshotLabels({ size, name, userId, projectId, createTime, groupSnapshot }: SnapshotState): Labels {
  const given = {
    user: userId,
    project: projectId,
    size: String(size),
    name,
    created: String(createTime),
    [groupLabel]: groupSnapshot,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
}

export interface LabelledFields {
  size: string;
  userId: string;
  projectId: string;
  name?: string;
  createTime?: string;
  address: string;
  lender?: string;
  movedFrom?: string;
  encryptionKey?: string;
  formatted?: string;
  restoredTime?: string;
}

/** Fields of a record that its labels keep; undefined where they do not say whose the volume is. */
export function fieldsIn(labels: Labels): LabelledFields | undefined {
  const {
    size,
    user,
    project,
    name,
    created = '',
    address = '',
    key,
    [fromLabel]: from,
    [lenderLabel]: lender,
    [restoredLabel]: restored = '',
  } = labels;
  if (size === undefined || user === undefined || project === undefined || !/^\d{1,4}$/.test(size)) return undefined;
  return {
    size,
    userId: user,
    projectId: project,
    address,
    ...(name === undefined ? {} : { name }),
    ...(lender === undefined ? {} : { lender }),
    ...(from === undefined ? {} : { movedFrom: from }),
    // A host may have formatted it: it is not done again.
    ...(key === undefined || !isId(key) ? {} : { encryptionKey: key, formatted: 'true' }),
    ...(/^\d{1,15}$/.test(restored) ? { restoredTime: restored } : {}),
    ...(/^\d{1,15}$/.test(created) ? { createTime: created } : {}),
  };
}

/** Whether the volume is exported at this moment. */
export function isExported({ status, attachStatus }: VolumeState, exportUnattached: boolean): boolean {
  const isWhole = status !== 'restoring' && status !== 'error_restoring';
  return (exportUnattached && isWhole) || attachStatus === 'attaching' || attachStatus === 'attached';
}

/** A record as a target sees it: with the rights of its attachment. Throws AddressLost for a volume without an address. */
export function exportSpec(volume: VolumeState, { driver, target }: Backend): ExportSpec {
  const { id, attachStatus, attachMode, attachHosts, chap } = volume;
  const limits = limitsOfStorage(volume.limits);
  const address = target.addressOf?.(id) ?? volume.address;
  if (address === '' && target.addressing !== 'none') throw errors.addressLost(id);
  const isAttached = attachStatus === 'attaching' || attachStatus === 'attached';
  return {
    id,
    path: driver.localPath(volumeSpec(volume)),
    address,
    readOnly: isAttached && attachMode === 'ro',
    hosts: isAttached ? attachHosts : [],
    ...(isAttached && chap ? { chap } : {}),
    ...(isAttached && areLimited(limits) ? { limits } : {}),
  };
}
