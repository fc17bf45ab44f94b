import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import { type RecordReader, Records } from './records.ts';

/** The record of storage that a volume has left with a migration, and that `node` is to remove. */
export interface FormerState {
  id: string;
  /** The id of its volume. */
  volume: string;
  node: string;
  backend: string;
  /** In GiB. */
  size: number;
  /** The creation time of the volume, as its labels have it. */
  created: string;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseFormer(id: string, hash: Hash): FormerState {
  const { volume = '', node = '', backend = '', size = '', created = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (!isId(volume)) throw new UnreadableError(`is of volume ${JSON.stringify(volume)}`);
  if (node === '' || backend === '' || !/^\d{1,4}$/.test(size)) throw new UnreadableError('lacks its backend or size');
  return { id, volume, node, backend, size: Number(size), created };
}

const reader: RecordReader<FormerState> = {
  recordKey: (store, id) => store.keys.former(id),
  parse: parseFormer,
  notFound: (id) => errors.recordUnreadable(`former storage ${id}`, 'is gone'),
  unreadable: (id, reason) => errors.recordUnreadable(`former storage ${id}`, reason),
};

/** The records of storage that volumes have left. */
export function formersOf(store: Store): Records<FormerState> {
  return new Records(store, reader);
}
