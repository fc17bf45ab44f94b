import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { metadataIn } from './metadata.ts';

/** A type of groups, which says something to its users: every group here takes its snapshots at one moment. */
export interface GroupTypeState {
  id: string;
  name: string;
  description: string;
  /** Whether others than administrators see it. */
  isPublic: boolean;
  specs: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseGroupType(id: string, hash: Hash): GroupTypeState {
  const { name = '', createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (name === '' || !/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its name or creation time');
  return {
    id,
    name,
    description: hash['description'] ?? '',
    isPublic: hash['private'] !== 'true',
    specs: metadataIn(hash),
    createTime: Number(createTime),
  };
}
