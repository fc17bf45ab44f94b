import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import type { GroupState } from './group-state.ts';
import { groupsOf } from './group.ts';
import { type FindOptions, findByReference } from './reference.ts';

/** Returns the group that a person means: see findByReference(). */
export function findGroup(store: Store, reference: string, options?: FindOptions): Promise<GroupState> {
  const { keys } = store;
  const kind = {
    what: 'group',
    records: groupsOf(store),
    notFound: errors.groupNotFound,
    notNamed: errors.groupNotNamed,
    ambiguous: errors.groupAmbiguous,
    recordKey: keys.group,
    ids: keys.groupIds(),
    names: keys.groupNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
