import { groupsOf } from '../../lib/models/group.ts';
import { typesOf } from '../../lib/models/type.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';

/** Returns the volumes that name a type or a group that is not there, one line each. */
export async function unrelated(store: Store): Promise<string[]> {
  const all = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  const types = await typesOf(store).readAll(all.flatMap(({ type }) => (type === '' ? [] : type)));
  const groups = await groupsOf(store).readAll(all.flatMap(({ group }) => (group === '' ? [] : group)));
  const known = new Set(['', ...types.states.map(({ id }) => id), ...groups.states.map(({ id }) => id)]);
  return all
    .filter(({ type, group }) => !known.has(type) || !known.has(group))
    .map(({ id, type, group }) => `volume ${id} names the type ${type} or the group ${group}, which is not there`);
}
