import { errors } from '../errors.ts';
import { type Limit, type QuotaResource, limitFields, quotaResources, quotasOf } from '../models/quota.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

export type Limits = Partial<Record<QuotaResource, Exclude<Limit, undefined> | 'default'>>;

/** Sets limits of a project, or of every project; the others stay as they are. What it has already stays, also beyond them. */
export async function setQuota(store: Store, project: string, limits: Limits): Promise<void> {
  const given = quotaResources.flatMap((resource) => {
    const limit = limits[resource];
    return limit === undefined ? [] : [{ field: limitFields[resource], limit }];
  });
  const set = Object.fromEntries(
    given.flatMap(({ field, limit }) => (limit === 'default' ? [] : [[field, String(limit)]])),
  );
  const unset = given.flatMap(({ field, limit }) => (limit === 'default' ? [field] : []));
  for (let change = 0; change < maxChanges; change += 1) {
    const found = await quotasOf(store).find(project);
    const fields = new Set(
      quotaResources.flatMap((resource) => (found?.limits[resource] === undefined ? [] : limitFields[resource])),
    );
    for (const { field, limit } of given) {
      if (limit === 'default') fields.delete(field);
      else fields.add(field);
    }
    // Of a project without limits nothing but what it uses stays.
    const edit = {
      kind: 'quota',
      id: project,
      set,
      unset: fields.size > 0 ? unset : [...unset, 'createTime'],
      stamp: fields.size > 0 && !found?.createTime ? ['createTime'] : [],
      ...(found ? { expect: { createTime: found.createTime === 0 ? '' : String(found.createTime) } } : {}),
    } as const;
    if (!found && fields.size === 0) return;
    const outcome = await commit(store, { edits: [found ? edit : { ...edit, insert: true }], event: 'quota.set' });
    if (outcome.word === 'ok') return;
  }
  throw errors.wrongStatus(project, 'being changed', 'no other request at the same time');
}

/** The limits of every project hold for this one again. Throws QuotaNotFound. */
export async function removeQuota(store: Store, project: string): Promise<void> {
  const found = await quotasOf(store).find(project);
  if (!found?.createTime) throw errors.quotaNotFound(project);
  await setQuota(store, project, { volumes: 'default', bytes: 'default', snapshots: 'default' });
}
