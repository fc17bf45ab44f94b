import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type FindOptions, findByReference } from './reference.ts';
import type { TypeState } from './type-state.ts';
import { typesOf } from './type.ts';

/** Returns the type that a person means: see findByReference(). */
export function findType(store: Store, reference: string, options?: FindOptions): Promise<TypeState> {
  const { keys } = store;
  const kind = {
    what: 'type',
    records: typesOf(store),
    notFound: errors.typeNotFound,
    notNamed: errors.typeNotNamed,
    ambiguous: errors.typeAmbiguous,
    recordKey: keys.type,
    ids: keys.typeIds(),
    names: keys.typeNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
