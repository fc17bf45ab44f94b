import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type GroupState, parseGroup } from './group-state.ts';
import { type RecordReader, Records } from './records.ts';
import type { VolumeState } from './volume-state.ts';
import { volumesOf } from './volume.ts';

const reader: RecordReader<GroupState> = {
  recordKey: (store, id) => store.keys.group(id),
  parse: parseGroup,
  notFound: errors.groupNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`group ${id}`, reason),
};

/** The groups of volumes. */
export function groupsOf(store: Store): Records<GroupState> {
  return new Records(store, reader);
}

/** Returns the volumes of a group in order of their creation. Throws RecordUnreadable. */
export async function volumesOfGroup(store: Store, id: string): Promise<VolumeState[]> {
  const ids = await store.read((redis) => redis.zrange(store.keys.groupVolumes(id), '0', '-1'));
  // One can leave it between the two reads.
  return (await volumesOf(store).findAll(ids)).filter(({ group }) => group === id);
}
