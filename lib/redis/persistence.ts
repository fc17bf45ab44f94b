import { asError } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { byteSize } from '../format-bytes.ts';
import { replicaHint } from '../redis-errors.ts';
import { type RedisInfo, readInfo } from './info.ts';
import type { Store } from './store.ts';

/** A way in which a Redis can lose records, or refuse them. */
export interface PersistenceProblem {
  message: string;
  /** The setting that ends it. */
  hint: string;
  /** Whether it threatens only once a memory limit is set, or reached. */
  isLatent: boolean;
}

/** Returns how this Redis can lose records by a crash; of a replica that is for its primary to say. */
export function crashProblem(info: RedisInfo): PersistenceProblem | undefined {
  if (info.get('role') === 'slave') return undefined;
  if (info.get('aof_enabled') !== '0' || Number(info.get('connected_slaves') ?? 0) > 0) return undefined;
  return {
    message: 'Redis has neither an append-only file nor a replica: a crash loses records',
    hint: 'run "redis-cli config set appendonly yes" and set it in redis.conf',
    isLatent: false,
  };
}

/** Returns that this Redis is a replica: its primary has the records, and what a replica accepts is lost. */
export function replicaProblem(info: RedisInfo): PersistenceProblem | undefined {
  if (info.get('role') !== 'slave') return undefined;
  if (info.get('slave_read_only') !== '0') {
    const away = info.get('master_link_status') === 'up' ? '' : ', which has lost its primary';
    const message = `this Redis is a replica${away}: what it shows can be old, and it refuses changes`;
    return { message, hint: replicaHint, isLatent: false };
  }
  const primary = `${info.get('master_host') ?? '?'}:${info.get('master_port') ?? '?'}`;
  return {
    message: 'this Redis is a replica that accepts changes (replica-read-only no), and loses them at its next resync',
    hint:
      `set redis_host and redis_port to the primary (${primary}), or redis_sentinels; ` +
      'run "redis-cli config set replica-read-only yes" on the replica and set it in redis.conf',
    isLatent: false,
  };
}

/** Returns how a restart of this Redis can lose the records of its replicas as well. */
export function restartProblem(info: RedisInfo): PersistenceProblem | undefined {
  if (info.get('aof_enabled') !== '0' || Number(info.get('connected_slaves') ?? 0) === 0) return undefined;
  return {
    message: 'Redis has no append-only file: if it restarts before a failover, its replicas lose what it lost',
    hint: 'run "redis-cli config set appendonly yes" on the primary and the replicas, and set it in redis.conf',
    isLatent: true,
  };
}

/** Returns how a failover loses acknowledged changes: nothing in Redis or in the flags asks for replicas that have them. */
export function failoverProblem(
  info: RedisInfo,
  flags: Pick<Flags, 'redis_sentinels' | 'redis_cluster' | 'redis_min_replicas'>,
): PersistenceProblem | undefined {
  const fails = flags.redis_sentinels.length > 0 || flags.redis_cluster.length > 0;
  if (!fails || flags.redis_min_replicas > 0 || info.has('min_slaves_good_slaves')) return undefined;
  return {
    message: 'a primary that is cut off from its replicas goes on accepting changes, which a failover discards',
    hint: 'set redis_min_replicas = 1 here, or min-replicas-to-write 1 and min-replicas-max-lag 10 in redis.conf',
    isLatent: true,
  };
}

/** Returns how this Redis can lose records by a power loss; `appendfsync` is its setting. */
export function syncProblem(info: RedisInfo, appendfsync: string | undefined): PersistenceProblem | undefined {
  if (info.get('aof_enabled') !== '1' || appendfsync !== 'no') return undefined;
  return {
    message:
      'Redis leaves it to the kernel when changes are on disk (appendfsync no): a power loss loses half a minute',
    hint: 'run "redis-cli config set appendfsync everysec", or always, and set it in redis.conf',
    isLatent: true,
  };
}

/** Returns how this Redis can lose records when its memory is full. */
export function evictionProblem(info: RedisInfo): PersistenceProblem | undefined {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return undefined;
  return {
    message: `Redis evicts keys when its memory is full (maxmemory-policy ${policy})`,
    hint: 'run "redis-cli config set maxmemory-policy noeviction" and set it in redis.conf',
    isLatent: info.get('maxmemory') === '0',
  };
}

/** From this share of maxmemory on it is a problem. */
const highShare = 0.9;

/** Returns whether Redis has no memory left, or soon has none, for further records. */
export function memoryProblem(info: RedisInfo): PersistenceProblem | undefined {
  const [used, most] = [Number(info.get('used_memory') ?? 0), Number(info.get('maxmemory') ?? 0)];
  if (most === 0 || used < most * highShare) return undefined;
  const share = `${byteSize(used)} of ${byteSize(most)} (maxmemory)`;
  return {
    message:
      used < most
        ? `Redis has little memory left: ${share}`
        : `Redis has no memory left: ${share}; only deletes and detaches are accepted`,
    hint: 'run "redis-cli config set maxmemory" with a higher value and set it in redis.conf, or delete volumes',
    isLatent: used < most,
  };
}

const diskHint = 'free space on the disk of Redis ("redis-cli config get dir"), and see its log';

/** Returns why Redis refuses changes now, or may. */
export function refusalProblem(info: RedisInfo): PersistenceProblem | undefined {
  const isFailed = (field: string) => (info.get(field) ?? 'ok') !== 'ok';
  const problem = (message: string, hint: string) => ({ message, hint, isLatent: false });
  if (info.get('aof_enabled') === '1' && isFailed('aof_last_write_status')) {
    return problem('Redis cannot write its append-only file: it refuses changes', diskHint);
  }
  if (isFailed('rdb_last_bgsave_status')) {
    return problem('Redis could not write its last snapshot: it may refuse changes', diskHint);
  }
  if (info.get('min_slaves_good_slaves') !== '0') return undefined;
  return problem(
    'Redis lacks replicas that follow it: it refuses changes (min-replicas-to-write)',
    'start the replicas, and see their logs',
  );
}

/**
 * Returns that Redis refuses changes for a reason that its INFO does not show, as with some replicas, but fewer than it wants. A replica
 * is not asked: it refuses all.
 */
export async function unseenRefusal(store: Store, info: RedisInfo): Promise<PersistenceProblem | undefined> {
  if (refusalProblem(info) || memoryProblem(info)?.isLatent === false || info.get('role') === 'slave') return undefined;
  try {
    await store.read((redis) => redis.set(store.keys.access(), 'x', 'XX')); // writes nothing: there is no such key
  } catch (thrown) {
    const { code, message, hint = '' } = asError(thrown);
    if (code === 'RedisRefuses') return { message, hint, isLatent: false };
  }
  return undefined;
}

/** Returns what threatens records in this Redis now; nothing where its user may not read INFO. */
export async function persistenceProblems(store: Store): Promise<PersistenceProblem[]> {
  const info: RedisInfo = await store.read((redis) => readInfo(redis)).catch(() => new Map());
  const problems = [replicaProblem, crashProblem, refusalProblem, evictionProblem, memoryProblem].map((problemOf) =>
    problemOf(info),
  );
  const all = [...problems, await unseenRefusal(store, info)].filter((problem) => problem !== undefined);
  return all.filter(({ isLatent }) => !isLatent);
}
