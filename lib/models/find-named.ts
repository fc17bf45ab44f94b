import type { Store } from '../redis/store.ts';
import { isHexId } from './hex-id.ts';
import type { Records } from './records.ts';

/** Returns the record that an id or an exact name means: no name has the form of an id. `named`: the key of the index of a name. */
export async function findNamed<State extends { id: string }>(
  store: Store,
  { records, named }: { records: Records<State>; named: (name: string) => string },
  reference: string,
): Promise<State | undefined> {
  if (isHexId(reference)) return records.find(reference);
  const [id] = await store.read((redis) => redis.zrange(named(reference.normalize('NFC')), '0', '0'));
  return id === undefined ? undefined : records.find(id);
}
