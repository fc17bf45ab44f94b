import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import type { StoredKey } from './transfer-key.ts';

/** A transfer's record: the offer of a volume to another project. Times are milliseconds since the epoch. */
export interface TransferState {
  id: string;
  name: string;
  /** The id of its volume. */
  volume: string;
  /** Who offers it. */
  projectId: string;
  createTime: number;
  expires: number;
  /** Whether the snapshots that this project has of the volume go along. */
  withSnapshots: boolean;
  /** Never shown or logged. */
  key: StoredKey;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseTransfer(id: string, hash: Hash): TransferState {
  const { volume = '', createTime = '', expires = '', salt = '', hash: ofKey = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!isId(volume)) throw new UnreadableError(`is of volume ${JSON.stringify(volume)}`);
  if (!/^\d{1,16}$/.test(createTime) || !/^\d{1,16}$/.test(expires)) {
    throw new UnreadableError('lacks its creation time or its end');
  }
  if (salt === '' || ofKey === '') throw new UnreadableError('lacks the hash of its key');
  return {
    id,
    name: hash['name'] ?? '',
    volume,
    projectId: hash['projectId'] ?? '',
    createTime: Number(createTime),
    expires: Number(expires),
    withSnapshots: hash['withSnapshots'] === 'true',
    key: { salt, hash: ofKey },
  };
}
