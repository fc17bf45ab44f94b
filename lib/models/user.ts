import { errors } from '../errors.ts';
import { findNamed } from './find-named.ts';
import { type Hash, UnreadableError, isEnabledIn } from './hash.ts';
import { isHexId } from './hex-id.ts';
import { type RecordReader, Records } from './records.ts';
import type { Store } from '../redis/store.ts';

/** Somebody, or a program, who can sign in. */
export interface UserState {
  id: string;
  name: string;
  description: string;
  email: string;
  isEnabled: boolean;
  /** The id of the project of tokens that are asked for without one; '' = none. */
  defaultProject: string;
  /** See lib/identity/password.ts; '' = none. Never shown or logged. */
  password: string;
  /** Tokens of another generation are not valid any more. */
  generation: string;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseUser(id: string, hash: Hash): UserState {
  const { name = '', generation = '', createTime = '' } = hash;
  if (!isHexId(id)) throw new UnreadableError('has an id that is not 32 hexadecimal digits');
  if (name === '' || generation === '' || !/^\d{1,16}$/.test(createTime)) {
    throw new UnreadableError('lacks its name, generation or creation time');
  }
  return {
    id,
    name,
    description: hash['description'] ?? '',
    email: hash['email'] ?? '',
    isEnabled: isEnabledIn(hash),
    defaultProject: hash['defaultProject'] ?? '',
    password: hash['password'] ?? '',
    generation,
    createTime: Number(createTime),
  };
}

const reader: RecordReader<UserState> = {
  recordKey: (store, id) => store.keys.user(id),
  parse: parseUser,
  notFound: errors.userNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`user ${id}`, reason),
};

export function usersOf(store: Store): Records<UserState> {
  return new Records(store, reader);
}

/** Returns the user of an id or a name. Throws UserNotFound. */
export async function findUser(store: Store, reference: string): Promise<UserState> {
  const user = await findNamed(store, { records: usersOf(store), named: store.keys.userNamed }, reference);
  if (!user) throw errors.userNotFound(reference.slice(0, 100));
  return user;
}
