import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { type RecordReader, Records } from './records.ts';

/** The type that new volumes of a project get, where their request names none. */
export interface DefaultTypeState {
  /** The project, by its name. */
  id: string;
  /** The id of the type. */
  type: string;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
function parseDefaultType(id: string, hash: Hash): DefaultTypeState {
  const { type = '', createTime = '' } = hash;
  if (!isId(type)) throw new UnreadableError(`has the type ${JSON.stringify(type)}`);
  if (!/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its creation time');
  return { id, type, createTime: Number(createTime) };
}

const reader: RecordReader<DefaultTypeState> = {
  recordKey: (store, id) => store.keys.defaultType(id),
  parse: parseDefaultType,
  notFound: errors.noDefaultType,
  unreadable: (id, reason) => errors.recordUnreadable(`default type of project ${id}`, reason),
};

/** The default types of projects. */
export function defaultTypesOf(store: Store): Records<DefaultTypeState> {
  return new Records(store, reader);
}
