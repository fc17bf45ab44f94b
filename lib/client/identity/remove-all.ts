import type { KindName } from '../../models/kinds.ts';
import { commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';

/** Records that one change set removes at most: it takes Redis about a millisecond. */
const pageSize = 100;

/** Removes the records of a kind that an index has, in steps; entries without a record are left to the audit. */
export async function removeAll(store: Store, kind: KindName, index: string): Promise<void> {
  let last: string | undefined;
  for (;;) {
    const ids = await store.read((redis) => redis.zrange(index, '0', String(pageSize - 1)));
    if (ids.length === 0 || ids[0] === last) return;
    [last] = ids;
    await removeRecords(store, kind, ids);
  }
}

/** Those that do not exist stay so. */
export async function removeRecords(store: Store, kind: KindName, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await commit(store, { edits: ids.map((id) => ({ kind, id, remove: true, optional: true })), frees: true });
}
