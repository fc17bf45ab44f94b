import type { Redis } from 'ioredis';
import { errors } from '../errors.ts';
import { loadingHint, replicaHint } from '../redis-errors.ts';
import { parseInfo } from './info.ts';

/** How often a connection that is not ready yet is asked for the reason. */
const pollMs = 1000;

/**
 * Connects, or throws the first failure: Sentinels and Clusters are queried again without a limit, and a Redis that loads its data is
 * waited for without a word. Throws RedisUnreachable also for a replica that accepts writes.
 */
export async function firstConnect(redis: Redis, where: string): Promise<void> {
  const failed = Promise.withResolvers<never>();
  redis.once('error', failed.reject);
  let polling: NodeJS.Timeout | undefined;
  const beginPolling = () => {
    polling = setInterval(() => void refuseLoading(redis, where).catch(failed.reject), pollMs);
  };
  redis.once('connect', beginPolling);
  const connected = redis.connect();
  connected.catch(() => {}); // it loses the race to its own error
  try {
    await Promise.race([connected, failed.promise]);
    await refuseWritableReplica(redis, where);
  } finally {
    clearInterval(polling);
    redis.off('error', failed.reject);
    redis.off('connect', beginPolling);
  }
}

/** What is written there is lost when it synchronises with its primary. Throws RedisUnreachable. */
async function refuseWritableReplica(redis: Redis, where: string): Promise<void> {
  const info = parseInfo(await redis.info('replication').catch(() => '')); // not every user may ask
  if (info.get('role') !== 'slave' || info.get('slave_read_only') !== '0') return;
  const reason = 'it is a replica that accepts writes (replica-read-only no), which its primary never gets';
  throw errors.redisUnreachable(where, reason, replicaHint);
}

/** Throws RedisUnreachable. */
async function refuseLoading(redis: Redis, where: string): Promise<void> {
  if (redis.status !== 'connect') return;
  const info = parseInfo(await redis.info('persistence').catch(() => '')); // what fails here fails the connection too
  if ((info.get('loading') ?? '0') === '0' || redis.status !== 'connect') return;
  const share = info.get('loading_loaded_perc') ?? '0';
  throw errors.redisUnreachable(where, `it is loading its data (${share} %)`, loadingHint);
}
