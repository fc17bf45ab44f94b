import { errors } from '../../lib/errors.ts';
import { defaultTypesOf } from '../../lib/models/default-type.ts';
import { findType } from '../../lib/models/find-type.ts';
import { isId } from '../../lib/models/id.ts';
import { type TypeState, isUsableBy } from '../../lib/models/type-state.ts';
import { typesOf } from '../../lib/models/type.ts';
import { type Caller, hasRole } from './caller.ts';
import type { Context } from './call.ts';

/** Whether a caller may know of a type, and its volumes can have it. */
export function mayUse({ projectId, ...caller }: Caller, type: TypeState): boolean {
  return isUsableBy(type, projectId) || hasRole({ projectId, ...caller }, 'admin');
}

/** Returns a type that the caller may know of, by its id. Throws TypeNotFound. */
export async function ownType(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  id: string,
): Promise<TypeState> {
  const type = isId(id) ? await typesOf(cluster.store).find(id) : undefined;
  if (!type || !mayUse(caller, type)) throw errors.typeNotFound(id.slice(0, 100));
  return type;
}

/** The same by its id or its name. Throws TypeNotFound, InvalidArgument. */
export async function usableType(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  reference: string,
): Promise<TypeState> {
  const type = await findType(cluster.store, reference, { byBeginning: false });
  if (!mayUse(caller, type)) throw errors.typeNotFound(reference.slice(0, 100));
  return type;
}

/** Returns the type of new volumes of the caller's project; undefined where these have none. Throws TypeNotFound, InvalidArgument. */
export async function defaultType(
  context: Pick<Context, 'caller' | 'cluster' | 'flags'>,
): Promise<TypeState | undefined> {
  const { store } = context.cluster;
  const own = await defaultTypesOf(store).find(context.caller.projectId);
  if (own) return typesOf(store).lookup(own.type);
  const { default_volume_type: name } = context.flags;
  return name === '' ? undefined : usableType(context, name);
}
