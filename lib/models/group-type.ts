import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type GroupTypeState, parseGroupType } from './group-type-state.ts';
import { type RecordReader, Records } from './records.ts';

const reader: RecordReader<GroupTypeState> = {
  recordKey: (store, id) => store.keys.groupType(id),
  parse: parseGroupType,
  notFound: errors.groupTypeNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`group type ${id}`, reason),
};

/** The types of groups. */
export function groupTypesOf(store: Store): Records<GroupTypeState> {
  return new Records(store, reader);
}
