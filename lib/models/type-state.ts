import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { type Limits, limitsIn } from './limits.ts';
import { metadataIn } from './metadata.ts';
import { type Requirements, requirementsIn } from './requirements.ts';

/** A type of volumes: what they require of their backends. */
export interface TypeState {
  id: string;
  name: string;
  description: string;
  requirements: Requirements;
  limits: Limits;
  metadata: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseType(id: string, hash: Hash): TypeState {
  const { name = '', createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (name === '' || !/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its name or creation time');
  return {
    id,
    name,
    description: hash['description'] ?? '',
    requirements: requirementsIn(hash),
    limits: limitsIn(hash),
    metadata: metadataIn(hash),
    createTime: Number(createTime),
  };
}
