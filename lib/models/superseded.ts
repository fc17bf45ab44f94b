import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type FormerState, parseFormer } from './former.ts';
import type { Hash } from './hash.ts';
import { type RecordReader, Records } from './records.ts';

/** The record of storage of a lost node that a volume has left without it: it may have no label that says so. */
export interface SupersededState extends FormerState {
  /** Where the volume went, `node@backend`. */
  destination: string;
  /** The address that it took with it; '' = none. */
  address: string;
  /** From where it had come to that storage, `node@backend`; '' = it was made there. */
  from: string;
}

/** Throws UnreadableError for a record that this version cannot read. */
function parseSuperseded(id: string, hash: Hash): SupersededState {
  const { destination = '', address = '', from = '' } = hash;
  return { ...parseFormer(id, hash), destination, address, from };
}

const reader: RecordReader<SupersededState> = {
  recordKey: (store, id) => store.keys.superseded(id),
  parse: parseSuperseded,
  notFound: (id) => errors.recordUnreadable(`superseded storage ${id}`, 'is gone'),
  unreadable: (id, reason) => errors.recordUnreadable(`superseded storage ${id}`, reason),
};

/** The records of storage of lost nodes that volumes have left. */
export function supersededOf(store: Store): Records<SupersededState> {
  return new Records(store, reader);
}
