import { checkRestorable } from '../../lib/backups/check-restorable.ts';
import { errors } from '../../lib/errors.ts';
import { formatOf } from '../../lib/images/fill.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { TypeState } from '../../lib/models/type-state.ts';
import type { NewVolume } from '../../lib/models/volume.ts';
import { backendId } from '../../lib/models/backend.ts';
import type { Context } from './call.ts';
import { ownBackup } from './own-backup.ts';
import { defaultType, usableType } from './own-type.ts';
import { ownSnapshot, ownVolume } from './owned.ts';

/** What a request for a new volume says of its data and its place. */
export interface Requested {
  size: number | undefined;
  image: string | undefined;
  snapshot: string | undefined;
  source: string | undefined;
  backup: string | undefined;
  type: string | undefined;
  zone: string | undefined;
  apartFrom: readonly string[];
  near: readonly string[];
}

type Origin = Pick<
  NewVolume,
  'size' | 'fromImage' | 'fromSnapshot' | 'fromVolume' | 'fromBackup' | 'isBootable' | 'encryptionKey'
>;

/**
 * Returns the same for VolumeCommands.create(). Throws InvalidRequest, TypeNotFound, VolumeNotFound, SnapshotNotFound, ImageNotFound,
 * BackupNotFound, BackupNotReady, SizeTooSmall.
 */
export async function newVolume(
  context: Context,
  requested: Requested,
): Promise<Omit<NewVolume, 'id' | 'userId' | 'projectId'> & { node?: string }> {
  const { zone, near } = requested;
  const type = await typeOf(context, requested);
  const apartFrom = await Promise.all(requested.apartFrom.map((id) => ownVolume(context, id)));
  const [neighbour] = await Promise.all(near.map((id) => ownVolume(context, id)));
  return {
    ...(await originOf(context, requested)),
    ...(type === undefined ? {} : { type: type.id }),
    ...(zone === undefined ? {} : { zone }),
    ...(apartFrom.length === 0 ? {} : { apartFrom: apartFrom.map(({ id }) => id) }),
    ...(neighbour === undefined ? {} : { node: backendId(neighbour.node, neighbour.backend) }),
  };
}

/** What is made from a snapshot or a volume has the type of that, unless the request names one. */
async function typeOf(context: Context, { type, snapshot, source }: Requested): Promise<TypeState | undefined> {
  if (type !== undefined) return usableType(context, type);
  return snapshot === undefined && source === undefined ? defaultType(context) : undefined;
}

async function originOf(context: Context, { size, image, snapshot, source, backup }: Requested): Promise<Origin> {
  const given = [image, snapshot, source, backup].filter((one) => one !== undefined);
  if (given.length > 1) {
    throw errors.invalidRequest(['volume: only one of imageRef, snapshot_id, source_volid and backup_id can be given']);
  }
  if (snapshot !== undefined) {
    const found = await ownSnapshot(context, snapshot);
    return { size: size ?? found.size, fromSnapshot: found.id };
  }
  if (source !== undefined) {
    const found = await ownVolume(context, source);
    return { size: size ?? found.size, fromVolume: found.id, isBootable: found.isBootable };
  }
  if (backup !== undefined) {
    const found = await ownBackup(context, backup);
    const newSize = size ?? found.size;
    checkRestorable(found, { size: newSize });
    const { id, encryptionKey } = found;
    return { size: newSize, fromBackup: id, ...(encryptionKey === undefined ? {} : { encryptionKey }) };
  }
  if (size === undefined) throw errors.invalidRequest(['volume.size: must be given']);
  if (image === undefined) return { size };
  const found = await openImageStore(context.flags).show(image);
  formatOf(found);
  if (size < found.minDisk) throw errors.sizeTooSmall(`image ${found.id}`, found.minDisk, size);
  return { size, fromImage: found.id, isBootable: true };
}
