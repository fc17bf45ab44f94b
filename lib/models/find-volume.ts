import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { Volume } from './volume.ts';

const mostShown = 5;

/**
 * The volume that a person means: by its id, an unambiguous beginning of it, `vol-` and a beginning, or its name.
 * Throws VolumeNotFound or VolumeAmbiguous.
 */
export async function findVolume(store: Store, typed: string): Promise<Volume> {
  const beginning = typed.replace(/^vol-/, '').toLowerCase();
  const [byId, byName] = await Promise.all([
    /^[0-9a-f-]{1,36}$/.test(beginning) ? startingWith(store, store.keys.volumeIds(), beginning) : [],
    startingWith(store, store.keys.volumeNames(), `${typed}\0`),
  ]);
  const named = byName.map((member) => member.slice(typed.length + 1));
  const ids = [...new Set([...named, ...byId])];
  const [id] = ids;
  if (id === undefined) throw errors.volumeNotFound(typed);
  if (ids.length > 1) throw errors.volumeAmbiguous(typed, ids);
  return await Volume.lookup(store, id);
}

function startingWith(store: Store, index: string, beginning: string): Promise<string[]> {
  return store.read((redis) =>
    redis.zrange(index, `[${beginning}`, `[${beginning}\xff`, 'BYLEX', 'LIMIT', 0, mostShown),
  );
}
