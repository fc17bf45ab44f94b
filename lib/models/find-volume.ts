import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { checkText, isAncestorForm, isUuid } from './check-text.ts';
import type { VolumeState } from './volume-state.ts';
import { volumesOf } from './volume.ts';

const maxShown = 5;
/** An id as other programs write it: also without hyphens, or with two, as device-mapper names have. */
const idIn = /([0-9a-f]{8})-*([0-9a-f]{4})-*([0-9a-f]{4})-*([0-9a-f]{4})-*([0-9a-f]{12})/i;
/** Of an id whose beginning stands for it: so long that a name is hardly taken for one. */
const minDigits = 8;

export interface FindOptions {
  /** Whether the beginning of an id will do. Default: yes. Not for what cannot be undone, nor where the volume can be gone. */
  byBeginning?: boolean;
}

/**
 * Returns the volume that a person means, in this order: a full id, always of that volume; an exact name; the beginning of an
 * id, at least eight digits, or `vol-` and eight digits. Throws VolumeNotFound, VolumeNotNamed, VolumeAmbiguous; InvalidArgument for a
 * text that no volume can have, such as an empty one of a script whose variable is not set, or one with a line end, and for one with
 * the id of a volume in it, such as the name of a logical volume: it is no name of a volume that could be gone.
 */
export async function findVolume(store: Store, reference: string, options: FindOptions = {}): Promise<VolumeState> {
  if (reference.trim() === '') throw errors.invalidArgument('volume', reference, 'an id or a name');
  if (isUuid(reference)) return volumesOf(store).lookup(reference.toLowerCase());
  const ids = await withName(store, reference);
  if (ids.length > 0) return only(store, reference, ids);
  const contained = await idOfVolumeIn(store, reference);
  if (contained !== undefined)
    throw errors.invalidArgument('volume', reference, `an id or a name; the id is ${contained}`);
  const begun = await byBeginning(store, reference);
  if (options.byBeginning === false && begun.length > 0) throw errors.volumeNotNamed(reference, begun);
  return only(store, reference, begun);
}

function only(store: Store, reference: string, ids: readonly string[]): Promise<VolumeState> {
  const [id] = ids;
  if (id === undefined) throw errors.volumeNotFound(checkText('volume', reference));
  if (ids.length > 1) throw errors.volumeAmbiguous(reference, ids);
  return volumesOf(store).lookup(id);
}

/** Names of earlier versions can have another form of Unicode than the composed one. */
async function withName(store: Store, name: string): Promise<string[]> {
  const forms = new Set([name, name.normalize('NFC'), name.normalize('NFD')]);
  const found = await Promise.all(
    [...forms].map(async (form) => {
      const members = await startingWith(store, store.keys.volumeNames(), `${form}\0`);
      return members.map((member) => member.slice(form.length + 1));
    }),
  );
  return found.flat().toSorted();
}

/** Names may contain ids of other things, as those of Kubernetes do (`pvc-…`). */
async function idOfVolumeIn(store: Store, text: string): Promise<string | undefined> {
  const [, ...groups] = idIn.exec(text.toLowerCase()) ?? [];
  if (groups.length === 0) return undefined;
  const id = groups.join('-');
  const exists = await store.read((redis) => redis.exists(store.keys.volume(id)));
  return exists === 1 ? id : undefined;
}

async function byBeginning(store: Store, reference: string): Promise<string[]> {
  const text = (isAncestorForm(reference) ? reference.slice('vol-'.length) : reference).toLowerCase();
  if (!/^[0-9a-f-]+$/.test(text) || text.replaceAll('-', '').length < minDigits) return [];
  return startingWith(store, store.keys.volumeIds(), text);
}

function startingWith(store: Store, index: string, beginning: string): Promise<string[]> {
  return store.read((redis) =>
    redis.zrange(index, `[${beginning}`, `[${beginning}\xff`, 'BYLEX', 'LIMIT', 0, maxShown),
  );
}
