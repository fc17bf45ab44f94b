import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { checkText, isAncestorForm, isUuid } from './check-text.ts';
import type { Records } from './records.ts';

const maxShown = 5;
/** An id as other programs write it: also without hyphens, or with two, as device-mapper names have. */
const idIn = /([0-9a-f]{8})-*([0-9a-f]{4})-*([0-9a-f]{4})-*([0-9a-f]{4})-*([0-9a-f]{12})/i;
/** Of an id whose beginning stands for it: so long that a name is hardly taken for one. */
const minDigits = 8;

/** Records that a person can name. */
export interface Nameable<State extends { id: string }> {
  /** What one of them is. */
  what: 'volume' | 'snapshot' | 'transfer' | 'type' | 'group' | 'group snapshot';
  records: Records<State>;
  notFound: (reference: string) => Error;
  notNamed: (reference: string, matches: readonly string[]) => Error;
  ambiguous: (reference: string, matches: readonly string[]) => Error;
  recordKey: (id: string) => string;
  /** Sorted sets of one score: ids, and names with the id behind a zero byte. */
  ids: string;
  names: string;
}

export interface FindOptions {
  /** Whether the beginning of an id will do. Default: yes. Not for what cannot be undone, nor where the record can be gone. */
  byBeginning?: boolean;
}

/**
 * Returns the record that a person means, in this order: a full id, always of that one; an exact name; the beginning of an id, at least
 * eight digits, or for a volume `vol-` and eight digits. Throws VolumeNotFound, VolumeNotNamed, VolumeAmbiguous, and those of snapshots;
 * InvalidArgument for a text that none can have, such as an empty one of a script whose variable is not set, or one with a line end, and
 * for one with an id in it, such as the name of a logical volume: it is no name of something that could be gone.
 */
export async function findByReference<State extends { id: string }>(
  store: Store,
  kind: Nameable<State>,
  reference: string,
  options: FindOptions = {},
): Promise<State> {
  const { what, records } = kind;
  if (reference.trim() === '') throw errors.invalidArgument(what, reference, 'an id or a name');
  if (isUuid(reference)) return records.lookup(reference.toLowerCase());
  const ids = await withName(store, kind.names, reference);
  const contained = await idContained(store, kind, reference);
  // The name of one can have the id of another in it, as a logical volume has.
  if (ids.length > 0) return only(kind, reference, contained === undefined ? ids : [...new Set([...ids, contained])]);
  if (contained !== undefined) {
    throw errors.invalidArgument(what, reference, `an id or a name; the id is ${contained}`);
  }
  const begun = await byBeginning(store, kind, reference);
  if (options.byBeginning === false && begun.length > 0) throw kind.notNamed(reference, begun);
  return only(kind, reference, begun);
}

function only<State extends { id: string }>(
  { what, records, notFound, ambiguous }: Nameable<State>,
  reference: string,
  ids: readonly string[],
): Promise<State> {
  const [id] = ids;
  if (id === undefined) throw notFound(checkText(what, reference));
  if (ids.length > 1) throw ambiguous(reference, ids);
  return records.lookup(id);
}

/** Names of earlier versions can have another form of Unicode than the composed one. */
async function withName(store: Store, index: string, name: string): Promise<string[]> {
  const forms = new Set([name, name.normalize('NFC'), name.normalize('NFD')]);
  const found = await Promise.all(
    [...forms].map(async (form) => {
      const members = await startingWith(store, index, `${form}\0`);
      return members.map((member) => member.slice(form.length + 1));
    }),
  );
  return found.flat().toSorted();
}

/** Names may contain ids of other things, as those of Kubernetes do (`pvc-…`). */
async function idContained<State extends { id: string }>(
  store: Store,
  { recordKey }: Nameable<State>,
  text: string,
): Promise<string | undefined> {
  const [, ...groups] = idIn.exec(text.toLowerCase()) ?? [];
  if (groups.length === 0) return undefined;
  const id = groups.join('-');
  const exists = await store.read((redis) => redis.exists(recordKey(id)));
  return exists === 1 ? id : undefined;
}

async function byBeginning<State extends { id: string }>(
  store: Store,
  { what, ids }: Nameable<State>,
  reference: string,
): Promise<string[]> {
  const isAncestors = what === 'volume' && isAncestorForm(reference);
  const text = (isAncestors ? reference.slice('vol-'.length) : reference).toLowerCase();
  if (!/^[0-9a-f-]+$/.test(text) || text.replaceAll('-', '').length < minDigits) return [];
  return startingWith(store, ids, text);
}

function startingWith(store: Store, index: string, beginning: string): Promise<string[]> {
  return store.read((redis) =>
    redis.zrange(index, `[${beginning}`, `[${beginning}\xff`, 'BYLEX', 'LIMIT', 0, maxShown),
  );
}
