import type { Backup } from '../../lib/backups/backup.ts';
import { newBackup } from '../../lib/backups/new-backup.ts';
import { asError, errors } from '../../lib/errors.ts';
import { usersOf } from '../../lib/models/attachment.ts';
import { checkVolumeName, checkText } from '../../lib/models/check-text.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from './call.ts';
import { findBackup } from './own-backup.ts';
import { ownSnapshot, ownVolume } from './owned.ts';

/** What a request for a new backup says. */
export interface RequestedBackup {
  id: string;
  volume: string;
  snapshot: string | undefined;
  name: string | undefined;
  description: string | undefined;
  metadata: Readonly<Record<string, string>>;
  isIncremental: boolean;
  /** Also of an attached volume. */
  isForced: boolean;
}

/**
 * Makes a backup, which a node gives its data. A repeated request with the same id has one effect. Throws VolumeNotFound,
 * SnapshotNotFound, InvalidRequest, VolumeAttached, BackupExists, BackupStoreUnavailable, WrongStatus, NotCapable, NodeLost.
 */
export async function createBackup(context: Context, request: RequestedBackup): Promise<Backup> {
  const { caller, backups } = context;
  const volume = await ownVolume(context, request.volume);
  const snapshot = request.snapshot === undefined ? undefined : await ownSnapshot(context, request.snapshot);
  if (snapshot && snapshot.volume !== volume.id) {
    throw errors.invalidRequest([`backup.snapshot_id: ${snapshot.id} is a snapshot of another volume`]);
  }
  const isByJob = snapshot !== undefined || volume.attachStatus !== 'detached';
  if (isByJob && !snapshot && !request.isForced) {
    const instance = await usersOf(context.cluster.store, volume);
    throw errors.backupOfAttached(volume.id, instance);
  }
  const parent = request.isIncremental ? await lastOf(context, volume.id) : null;
  const { name = '', description = '' } = request;
  const backup = newBackup(snapshot ? { ...volume, size: snapshot.size } : volume, {
    id: request.id,
    name: name === '' ? '' : checkVolumeName(name),
    parent,
    userId: caller.userId,
    projectId: caller.projectId,
    ...(description === '' ? {} : { description: checkText('description', description) }),
    ...(Object.keys(request.metadata).length === 0 ? {} : { metadata: { ...request.metadata } }),
    ...(snapshot ? { snapshot: snapshot.id, dataTime: snapshot.createTime } : {}),
  });
  try {
    await backups.store.create(backup);
  } catch (error) {
    if (asError(error).code !== 'BackupExists') throw error;
    // The same request may be making it at this moment.
    const found = (await findBackup(context, request.id)) ?? backup;
    if (found.volume !== volume.id || found.projectId !== backup.projectId) throw error;
    return found;
  }
  try {
    await begin(context, backup, volume, snapshot, isByJob);
  } catch (error) {
    await backups.store.remove(backup.id).catch(() => undefined); // it is shown as failed then
    throw error;
  }
  return backup;
}

async function begin(
  { cluster, backups }: Context,
  { id: target }: Backup,
  volume: VolumeState,
  snapshot: SnapshotState | undefined,
  isByJob: boolean,
): Promise<void> {
  if (!isByJob) return cluster.backups.create(volume.id, target);
  const isDone = async () => (await backups.store.show(target)).status === 'available';
  if (snapshot) return cluster.backups.copySnapshot(snapshot.id, { target, isDone });
  return cluster.backups.copyAttached(volume.id, { target, isDone });
}

/** The last complete one of a volume. Throws InvalidRequest. */
async function lastOf({ backups }: Context, volume: string): Promise<string> {
  const all = await backups.catalog.list();
  const last = all.findLast((backup) => backup.volume === volume && backup.status === 'available');
  if (last) return last.id;
  throw errors.invalidRequest([`backup.incremental: volume ${volume} has no backup yet that it could begin with`]);
}
