import { endTransfer } from '../../lib/client/end-transfer.ts';
import { errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeLease } from './lease.ts';

/** Transfers that are ended at once: the next report ends further ones. */
const maxAtOnce = 100;

/**
 * Ends transfers of this node's volumes that have expired, by the clock of Redis: the volumes are available again. One round trip where
 * none has. Throws Fenced.
 */
export async function endExpiredTransfers({
  store,
  lease,
  log,
}: {
  store: Store;
  lease: NodeLease;
  log: Log;
}): Promise<void> {
  const key = store.keys.nodeTransfers(lease.node);
  const [, first] = await store.read((redis) => redis.zrange(key, '0', '0', 'WITHSCORES'));
  const now = first === undefined ? 0 : await redisTime(store);
  if (first === undefined || Number(first) > now) return;
  const ids = await store.read((redis) => redis.zrange(key, '-inf', String(now), 'BYSCORE', 'LIMIT', 0, maxAtOnce));
  const { states } = await volumesOf(store).readAll(ids);
  for (const volume of states) {
    if (volume.status !== 'awaiting-transfer') continue; // a contradiction, which the audit reports
    const outcome = await endTransfer(store, volume, lease.token);
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word === 'ok') log.info(`transfer ${volume.transfer} of volume ${volume.id} has expired`);
  }
}
