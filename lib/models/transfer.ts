import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type RecordReader, Records } from './records.ts';
import { type TransferState, parseTransfer } from './transfer-state.ts';

const reader: RecordReader<TransferState> = {
  recordKey: (store, id) => store.keys.transfer(id),
  parse: parseTransfer,
  notFound: errors.transferNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`transfer ${id}`, reason),
};

/** The records of transfers. */
export function transfersOf(store: Store): Records<TransferState> {
  return new Records(store, reader);
}
