import { BlockstoreError } from './blockstore-error.ts';

export const unreachableHint =
  'start Redis, or set redis_host, redis_port or redis_url; until then no change is accepted and exports continue';

/** Where Redis ended a connection without a word. */
export const closedHint =
  'start Redis; if it runs, see its log, maxclients, timeout and client-output-buffer-limit; for TLS set redis_tls';

/** Where no Sentinel answers, or none has the name. */
export const sentinelHint =
  'start the Sentinels and the primary, or correct redis_sentinels and redis_sentinel_name; redis_tls is for both';

/** Where no node of a Cluster has the records. */
export const clusterHint =
  'start every shard of the Cluster, or correct redis_cluster; "redis-cli --cluster check" names what it lacks';

/** Redis starts. */
export const loadingHint = 'wait until Redis has read its data: "redis-cli info persistence" shows how far it is';

export const replicaHint =
  'this Redis is a replica: set redis_host, redis_port or redis_url to the primary, or use redis_sentinels';

/** Errors of Redis: of the connection, and of what it refuses. */
export const redisErrors = {
  redisUnreachable: (where: string, reason: string, hint = unreachableHint) =>
    new BlockstoreError('RedisUnreachable', 'unavailable', `Redis at ${where} cannot be reached: ${reason}`, hint),
  redisRefuses: (
    where: string,
    reason: string,
    hint = 'add the memory, disk space or replicas that Redis names; operations under way then continue',
  ) => new BlockstoreError('RedisRefuses', 'unavailable', `Redis at ${where} refuses writes: ${reason}`, hint),
  notReplicated: (replicas: number, required: number) =>
    new BlockstoreError(
      'NotReplicated',
      'unavailable',
      `the change was made, but only ${replicas} of ${required} replicas of Redis have it (redis_min_replicas)`,
      'start the missing replicas; until then a failover can lose this change',
    ),
  redisDenied: (
    where: string,
    reason: string,
    hint = 'set redis_user and redis_password, or extend the ACL of the user',
  ) => new BlockstoreError('RedisDenied', 'denied', `Redis at ${where} denied access: ${reason}`, hint),
  noRedisDatabase: (where: string, database: number) =>
    new BlockstoreError(
      'InvalidFlags',
      'invalid',
      `redis_db = ${database}: Redis at ${where} has no such database`,
      'set redis_db (or the number at the end of redis_url) below "databases" of redis.conf; a Cluster has only 0',
    ),
  redisDataDamaged: (where: string, reason: string) =>
    new BlockstoreError(
      'RedisDataDamaged',
      'failed',
      `Redis at ${where} has a key of blockstore with a wrong type or value: ${reason}`,
      'run "blockstore audit": it names the key',
    ),
};
