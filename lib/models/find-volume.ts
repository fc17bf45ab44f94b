import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type FindOptions, findByReference } from './reference.ts';
import type { VolumeState } from './volume-state.ts';
import { volumesOf } from './volume.ts';

/** Returns the volume that a person means: see findByReference(). */
export function findVolume(store: Store, reference: string, options?: FindOptions): Promise<VolumeState> {
  const { keys } = store;
  const kind = {
    what: 'volume',
    records: volumesOf(store),
    notFound: errors.volumeNotFound,
    notNamed: errors.volumeNotNamed,
    ambiguous: errors.volumeAmbiguous,
    recordKey: keys.volume,
    ids: keys.volumeIds(),
    names: keys.volumeNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
