import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type QosSpecState, parseQosSpec } from './qos-spec-state.ts';
import { type RecordReader, Records } from './records.ts';

const reader: RecordReader<QosSpecState> = {
  recordKey: (store, id) => store.keys.qosSpec(id),
  parse: parseQosSpec,
  notFound: errors.qosSpecNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`QoS spec ${id}`, reason),
};

/** The QoS specs of types. */
export function qosSpecsOf(store: Store): Records<QosSpecState> {
  return new Records(store, reader);
}
