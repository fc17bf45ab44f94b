import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isHexId } from './hex-id.ts';
import { type RecordReader, Records } from './records.ts';
import { type Role, rolesIn } from './role.ts';

/** What a program signs in with in place of the password of its user. Times are milliseconds since the epoch. */
export interface CredentialState {
  id: string;
  name: string;
  description: string;
  user: string;
  project: string;
  /** It has those of them that the user still has. */
  roles: readonly Role[];
  /** Whether its tokens may manage application credentials. */
  isUnrestricted: boolean;
  /** See lib/identity/password.ts. Never shown or logged. */
  secret: string;
  /** 0 = never. */
  expires: number;
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseCredential(id: string, hash: Hash): CredentialState {
  const { name = '', user = '', project = '', secret = '', expires = '', createTime = '' } = hash;
  if (!isHexId(id)) throw new UnreadableError('has an id that is not 32 hexadecimal digits');
  if (!isHexId(user) || !isHexId(project)) throw new UnreadableError('lacks its user or its project');
  if (name === '' || secret === '') throw new UnreadableError('lacks its name or the hash of its secret');
  if (!/^\d{1,16}$/.test(createTime) || !/^\d{1,16}$/.test(expires)) {
    throw new UnreadableError('lacks its creation time or its end');
  }
  return {
    id,
    name,
    description: hash['description'] ?? '',
    user,
    project,
    roles: rolesIn(hash['roles'] ?? ''),
    isUnrestricted: hash['unrestricted'] === 'true',
    secret,
    expires: Number(expires),
    createTime: Number(createTime),
  };
}

const reader: RecordReader<CredentialState> = {
  recordKey: (store, id) => store.keys.credential(id),
  parse: parseCredential,
  notFound: errors.credentialNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`application credential ${id}`, reason),
};

export function credentialsOf(store: Store): Records<CredentialState> {
  return new Records(store, reader);
}
