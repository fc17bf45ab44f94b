import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';

/** Volumes that a group has at most: what is done to all of them at once is one change set. */
export const maxGroupVolumes = 64;

/** A group of volumes of one project on one backend, which its first volume decides. The volumes name their group. */
export interface GroupState {
  id: string;
  name: string;
  description: string;
  /** The id of its type; '' = none. */
  type: string;
  /** The ids of the types that its volumes can have; none: any. */
  volumeTypes: readonly string[];
  userId: string;
  projectId: string;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseGroup(id: string, hash: Hash): GroupState {
  const { createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its creation time');
  const volumeTypes = hash['volumeTypes'] === undefined ? [] : hash['volumeTypes'].split(',');
  const odd = volumeTypes.find((one) => !isId(one));
  if (odd !== undefined) throw new UnreadableError(`takes volumes of type ${JSON.stringify(odd)}`);
  return {
    id,
    name: hash['name'] ?? '',
    description: hash['description'] ?? '',
    type: hash['type'] ?? '',
    volumeTypes,
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    createTime: Number(createTime),
  };
}
