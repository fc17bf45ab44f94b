import { randomBytes, randomUUID } from 'node:crypto';
import type { BackendState } from '../models/backend.ts';
import { migrationKeyBytes } from '../models/migration-state.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { ChangeSet, Edit } from '../redis/scripts.ts';
import { topicOf } from './message.ts';

interface MigratedVolume extends Pick<VolumeState, 'id' | 'size'> {
  /** Where its data are. */
  node: string;
}

export interface NewMigration {
  id: string;
  /** Inserts its record. */
  edit: Edit;
  /** To both nodes. */
  commands: NonNullable<ChangeSet['commands']>;
}

/** The migration of a volume's data to a backend. `topic`: the beginning of the names of topics; `more`: further fields of its record. */
export function newMigration(
  { id: volume, size, node: source }: MigratedVolume,
  { node, name: backend, availabilityZone }: BackendState,
  { topic, more = {} }: { topic: string; more?: Readonly<Record<string, string>> },
): NewMigration {
  const id = randomUUID();
  const key = randomBytes(migrationKeyBytes).toString('hex');
  const set = { volume, node, backend, availabilityZone, size: String(size), key, ...more };
  return {
    id,
    edit: { kind: 'migration', id, insert: true, set, stamp: ['createTime'] },
    commands: [
      { topic: topicOf(topic, node), message: JSON.stringify({ migration: id }) },
      { topic: topicOf(topic, source), message: JSON.stringify({ volume }) },
    ],
  };
}
