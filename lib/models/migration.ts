import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type MigrationState, parseMigration } from './migration-state.ts';
import { type RecordReader, Records } from './records.ts';

const reader: RecordReader<MigrationState> = {
  recordKey: (store, id) => store.keys.migration(id),
  parse: parseMigration,
  notFound: errors.migrationLost,
  unreadable: (id, reason) => errors.recordUnreadable(`migration ${id}`, reason),
};

/** The records of migrations. */
export function migrationsOf(store: Store): Records<MigrationState> {
  return new Records(store, reader);
}
