import type { KindName } from '../../models/kinds.ts';
import { redisTime } from '../../redis/redis-time.ts';
import type { Store } from '../../redis/store.ts';
import { removeRecords } from './remove-all.ts';

const pageSize = 100;
/** Of one call and kind: the next call removes further ones. */
const maxPages = 50;

/** Removes tokens that have expired, and failures to sign in that are forgotten, in steps of a millisecond of Redis. Returns how many. */
export async function removeExpired(store: Store): Promise<number> {
  const indexes: readonly [KindName, string][] = [
    ['token', store.keys.tokens()],
    ['sign-in-failures', store.keys.allSignInFailures()],
  ];
  const now = String(await redisTime(store));
  let count = 0;
  for (const [kind, index] of indexes) {
    let last: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const ids = await store.read((redis) => redis.zrange(index, '-inf', now, 'BYSCORE', 'LIMIT', 0, pageSize));
      if (ids.length === 0 || ids[0] === last) break;
      [last] = ids;
      await removeRecords(store, kind, ids);
      count += ids.length;
    }
  }
  return count;
}
