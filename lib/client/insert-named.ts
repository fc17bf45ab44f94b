import type { Hash } from '../models/hash.ts';
import type { Records } from '../models/records.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

export interface NamedInsertion<State extends { id: string; name: string }> {
  /** No other object of the kind has its name. */
  kind: 'type' | 'group-type' | 'qos-spec' | 'project' | 'user';
  id: string;
  name: string;
  set: Readonly<Record<string, string>>;
  /** Besides the time of creation. */
  stamp?: readonly string[];
  records: Records<State>;
  parse: (id: string, hash: Hash) => State;
  /** Why a name cannot be given. */
  taken: (name: string) => Error;
}

/**
 * Makes an object that has a name of its own. A repeated request with the same id has one effect. Returns it as it was made: another request
 * may have removed it since. Throws what `taken` returns.
 */
export async function insertNamed<State extends { id: string; name: string }>(
  store: Store,
  { kind, id, name, set, stamp = [], records, parse, taken }: NamedInsertion<State>,
): Promise<State> {
  const key = `${kind}-name:${name}`;
  for (let change = 0; change < maxChanges; change += 1) {
    const outcome = await commit(store, {
      conditions: [{ is: 'empty', key }],
      edits: [{ kind, id, insert: true, set, stamp: ['createTime', ...stamp] }],
      event: `${kind}.create`,
      returns: true,
    });
    if (outcome.word === 'ok') return parse(id, outcome.records[0] ?? {});
    const found = await records.find(id);
    if (found?.name === name) return found;
    const [holder = id] = await store.read((redis) => redis.zrange(store.keys.prefix + key, '0', '0'));
    if (found || holder !== id) throw taken(name);
    // It was removed since: its name is free.
  }
  throw taken(name);
}
