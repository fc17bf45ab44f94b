import { type BackendState, parsePlace } from '../models/backend.ts';
import type { Hash } from '../models/hash.ts';
import { metadataFields } from '../models/metadata.ts';
import { type Task, taskKey, writeTask } from '../models/task.ts';
import type { NewVolume } from '../models/volume.ts';
import type { ReplyTo } from '../redis/scripts.ts';

/** Fields of the record of a new volume, besides its creation time. */
export function newRecord(
  volume: NewVolume,
  backend: BackendState,
  node: string | undefined,
  to: ReplyTo | undefined,
  by: string,
): Hash {
  const { name, size, userId, projectId, deleteOnTermination = false } = volume;
  const {
    fromSnapshot,
    fromVolume,
    fromImage,
    fromBackup,
    description = '',
    metadata = {},
    isReadOnly = false,
    isMultiattach = false,
    encryptionKey = '',
  } = volume;
  const { isBootable = fromImage !== undefined } = volume;
  const { type = '', group = '', zone = '', apartFrom = [] } = volume;
  const isCopy = [fromSnapshot, fromVolume, fromImage, fromBackup].some((from) => from !== undefined);
  return {
    ...(name === undefined ? {} : { name }),
    size: String(size),
    userId,
    projectId,
    ...(deleteOnTermination ? { deleteOnTermination: 'true' } : {}),
    ...(type === '' ? {} : { type }),
    ...(group === '' ? {} : { group }),
    ...(zone === '' ? {} : { wantedZone: zone }),
    ...(apartFrom.length === 0 ? {} : { apartFrom: apartFrom.join(',') }),
    ...(description === '' ? {} : { description }),
    ...(isBootable ? { bootable: 'true' } : {}),
    ...(isReadOnly ? { readOnly: 'true' } : {}),
    ...(isMultiattach ? { multiattach: 'true' } : {}),
    ...(encryptionKey === '' ? {} : { encryptionKey, ...(isCopy ? { formatted: 'true' } : {}) }),
    ...metadataFields(metadata),
    ...(fromSnapshot === undefined ? {} : { fromSnapshot }),
    ...(fromVolume === undefined ? {} : { fromVolume }),
    ...(fromImage === undefined ? {} : { fromImage }),
    ...(fromBackup === undefined ? {} : { fromBackup }),
    ...(isCopy ? { copying: 'true' } : {}),
    node: backend.node,
    backend: backend.name,
    availabilityZone: backend.availabilityZone,
    status: 'creating',
    attachStatus: 'detached',
    task: writeTask({ kind: 'create', key: taskKey(), ...pinOf(node) }),
    ...(by === '' ? {} : { by }),
    ...(to ? { requesters: to } : {}),
  };
}

function pinOf(node: string | undefined): Pick<Task, 'pinned' | 'onNode'> {
  if (node === undefined) return {};
  return { pinned: true, ...(parsePlace(node).backend === undefined ? { onNode: true } : {}) };
}
