import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type JobState, parseJob } from './job-state.ts';
import { type RecordReader, Records } from './records.ts';

const reader: RecordReader<JobState> = {
  recordKey: (store, id) => store.keys.job(id),
  parse: parseJob,
  notFound: (id) => errors.recordUnreadable(`job ${id}`, 'is gone'),
  unreadable: (id, reason) => errors.recordUnreadable(`job ${id}`, reason),
};

/** The records of jobs. */
export function jobsOf(store: Store): Records<JobState> {
  return new Records(store, reader);
}
