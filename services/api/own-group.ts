import { errors } from '../../lib/errors.ts';
import type { GroupSnapshotState } from '../../lib/models/group-snapshot-state.ts';
import { groupSnapshotsOf } from '../../lib/models/group-snapshot.ts';
import type { GroupState } from '../../lib/models/group-state.ts';
import type { GroupTypeState } from '../../lib/models/group-type-state.ts';
import { groupTypesOf } from '../../lib/models/group-type.ts';
import { groupsOf } from '../../lib/models/group.ts';
import { isId } from '../../lib/models/id.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { mayKnow } from './owned.ts';

type Asking = Pick<Context, 'caller' | 'cluster'>;

/** Returns a group that the caller may know of, by its id. Throws GroupNotFound. */
export async function ownGroup({ caller, cluster }: Asking, id: string): Promise<GroupState> {
  const group = isId(id) ? await groupsOf(cluster.store).find(id) : undefined;
  if (!group || !mayKnow(caller, group)) throw errors.groupNotFound(id.slice(0, 100));
  return group;
}

/** The same of a group snapshot. Throws GroupSnapshotNotFound. */
export async function ownGroupSnapshot({ caller, cluster }: Asking, id: string): Promise<GroupSnapshotState> {
  const snapshot = isId(id) ? await groupSnapshotsOf(cluster.store).find(id) : undefined;
  if (!snapshot || !mayKnow(caller, snapshot)) throw errors.groupSnapshotNotFound(id.slice(0, 100));
  return snapshot;
}

/** The same of a type of groups. Throws GroupTypeNotFound. */
export async function ownGroupType({ caller, cluster }: Asking, id: string): Promise<GroupTypeState> {
  const type = isId(id) ? await groupTypesOf(cluster.store).find(id) : undefined;
  if (!type || !(type.isPublic || hasRole(caller, 'admin'))) throw errors.groupTypeNotFound(id.slice(0, 100));
  return type;
}

/** The same by its id or its name. Throws GroupTypeNotFound. */
export async function usableGroupType(context: Asking, reference: string): Promise<GroupTypeState> {
  if (isId(reference)) return ownGroupType(context, reference);
  const { store } = context.cluster;
  const [id = ''] = await store.read((redis) => redis.zrange(store.keys.groupTypeName(reference), '0', '0'));
  if (id === '') throw errors.groupTypeNotFound(reference.slice(0, 100));
  return ownGroupType(context, id);
}
