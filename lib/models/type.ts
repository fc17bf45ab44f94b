import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type RecordReader, Records } from './records.ts';
import { type TypeState, parseType } from './type-state.ts';

const reader: RecordReader<TypeState> = {
  recordKey: (store, id) => store.keys.type(id),
  parse: parseType,
  notFound: errors.typeNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`type ${id}`, reason),
};

/** The types of volumes. */
export function typesOf(store: Store): Records<TypeState> {
  return new Records(store, reader);
}
