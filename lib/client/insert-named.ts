import type { Hash } from '../models/hash.ts';
import type { Records } from '../models/records.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

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
  const outcome = await commit(store, {
    conditions: [{ is: 'empty', key: `${kind}-name:${name}` }],
    edits: [{ kind, id, insert: true, set, stamp: ['createTime', ...stamp] }],
    event: `${kind}.create`,
    returns: true,
  });
  if (outcome.word === 'ok') return parse(id, outcome.records[0] ?? {});
  const found = await records.find(id);
  if (found?.name === name) return found;
  throw taken(name);
}
