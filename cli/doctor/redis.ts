import type { Flags } from '../../lib/flags/definitions.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { lookupNode } from '../../lib/models/node.ts';
import { nodeNameHere } from '../../lib/node-identity.ts';
import { type Connection, connect } from '../../lib/redis/connection.ts';
import { type RedisInfo, readInfo } from '../../lib/redis/info.ts';
import {
  type PersistenceProblem,
  crashProblem,
  evictionProblem,
  failoverProblem,
  memoryProblem,
  refusalProblem,
  replicaProblem,
  restartProblem,
  syncProblem,
  unseenRefusal,
} from '../../lib/redis/persistence.ts';
import { Store } from '../../lib/redis/store.ts';
import { duration, plural } from '../format.ts';
import { hasCredentials } from './configuration.ts';
import { checkAccess } from './redis-access.ts';
import { runCheck } from './run-check.ts';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';

const pings = 5;
const slowMs = 20;
const clockMs = 2000;
const maxClientsShare = 0.9;
/** The first version with ZRANGE … BYLEX. */
const minVersion = [6, 2];

/** Checks Redis and this node's record. Throws RedisUnreachable, RedisDenied. */
export async function checkCluster(loaded: LoadedFlags, isStorage: boolean): Promise<readonly Finding[]> {
  const { flags } = loaded;
  const connection = await connect(flags, silentLog);
  try {
    const isCluster = flags.redis_cluster.length > 0;
    const info = await readInfo(connection.redis).catch(() => undefined);
    return [
      ...(await runCheck(() => explained(connection, () => checkLatency(connection)))),
      ...(await checkAccess(connection, { prefix: flags.redis_prefix, isStorage, isCluster })),
      ...(info ? checksOf(info, flags, await appendfsyncOf(connection)) : []),
      ...(info ? await checkWrites(new Store(connection, flags.redis_prefix), info) : []),
      ...checkPassword(flags, connection.where),
      ...(await runCheck(() => explained(connection, () => checkClock(connection)))),
      ...(isStorage ? await runCheck(() => checkNode(new Store(connection, flags.redis_prefix), loaded)) : []),
    ];
  } catch (error) {
    throw connection.explain(error);
  } finally {
    await connection.close();
  }
}

/** Throws errors of the catalogue: what fails then is one finding, beside the others. */
async function explained<T>(connection: Connection, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw connection.explain(error);
  }
}

async function checkLatency({ redis, where }: Connection): Promise<Finding[]> {
  const times: number[] = [];
  for (let count = 0; count < pings; count += 1) {
    const began = performance.now();
    await redis.time();
    times.push(performance.now() - began);
  }
  const median = times.toSorted((one, other) => one - other)[Math.floor(pings / 2)] ?? 0;
  const message = `Redis at ${where} answers in ${median.toFixed(1)} ms`;
  return [median > slowMs ? warn(message, 'place Redis closer to the nodes, or reduce its load') : ok(message)];
}

/** Undefined where its user may not read settings. */
async function appendfsyncOf({ redis }: Connection): Promise<string | undefined> {
  const answer = await redis.config('GET', 'appendfsync').catch(() => undefined);
  return Array.isArray(answer) ? String(answer[1]) : undefined;
}

function checksOf(info: RedisInfo, flags: Flags, appendfsync: string | undefined): Finding[] {
  const problems = [
    replicaProblem(info),
    refusalProblem(info),
    restartProblem(info),
    failoverProblem(info, flags),
    syncProblem(info, appendfsync),
  ];
  return [
    checkVersion(info),
    checkPersistence(info),
    ...problems.flatMap((problem) => (problem ? [findingOf(problem)] : [])),
    checkEviction(info),
    ...checkLimits(info),
  ];
}

function findingOf({ isLatent, message, hint }: PersistenceProblem): Finding {
  return (isLatent ? warn : bad)(message, hint);
}

async function checkWrites(store: Store, info: RedisInfo): Promise<Finding[]> {
  const problem = await unseenRefusal(store, info);
  return problem ? [bad(problem.message, problem.hint)] : [];
}

function checkVersion(info: RedisInfo): Finding {
  const version = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = minVersion;
  const isEnough = major > minMajor || (major === minMajor && minor >= minMinor);
  return isEnough
    ? ok(`Redis ${version}`)
    : bad(`Redis ${version} is too old`, `install ${minVersion.join('.')} or later`);
}

function checkPersistence(info: RedisInfo): Finding {
  const problem = crashProblem(info);
  if (problem) return bad(problem.message, problem.hint);
  if (info.get('aof_enabled') === '1') return ok('Redis has an append-only file');
  return ok(`Redis has ${plural(Number(info.get('connected_slaves') ?? 0), 'replica')}`);
}

function checkEviction(info: RedisInfo): Finding {
  const problem = evictionProblem(info);
  return problem ? findingOf(problem) : ok('Redis evicts no keys');
}

function checkLimits(info: RedisInfo): Finding[] {
  const memory = memoryProblem(info);
  const [clients, most] = [Number(info.get('connected_clients') ?? 0), Number(info.get('maxclients') ?? Infinity)];
  return [
    memory ? findingOf(memory) : ok('Redis has memory for more records'),
    clients < most * maxClientsShare
      ? ok(`Redis has ${clients} clients`)
      : warn(`Redis has ${clients} clients of at most ${most} (maxclients)`, 'raise maxclients in redis.conf'),
  ];
}

function checkPassword(flags: Flags, where: string): Finding[] {
  const isLocal = /^(\/|127\.|localhost:|\[?::1)/.test(where);
  const hasPassword = flags.redis_password !== '' || hasCredentials(flags.redis_url);
  if (hasPassword || isLocal) return [];
  return [
    warn(
      'Redis requires no password: everyone who can reach it can delete volumes',
      'set requirepass in redis.conf and redis_password here',
    ),
  ];
}

async function checkClock({ redis }: Connection): Promise<Finding> {
  const before = Date.now();
  const [seconds, micros] = await redis.time();
  const here = (before + Date.now()) / 2;
  const difference = Math.abs(here - (Number(seconds) * 1000 + Number(micros) / 1000));
  const message = `the clocks of this host and Redis differ by ${(difference / 1000).toFixed(1)} s`;
  return difference > clockMs ? warn(message, 'run chrony or systemd-timesyncd on both machines') : ok(message);
}

async function checkNode(store: Store, loaded: LoadedFlags): Promise<Finding[]> {
  // Another user than the daemon's may be unable to read its state directory.
  const name = await nodeNameHere(loaded).catch(() => loaded.flags.storage_name);
  const nodes = await store.read((redis) => redis.zscore(store.keys.nodes(), name));
  const start = 'start the daemon: systemctl start blockstored';
  if (nodes === null) return [warn(`the cluster has no record of node ${name} yet`, start)];
  const { state, reportTime, problems } = await lookupNode(store, name);
  const lastSeen = reportTime === undefined ? 'never' : `${duration(Date.now() - reportTime)} ago`;
  return [
    state === 'up'
      ? ok(`node ${name} is up, last seen ${lastSeen}`)
      : bad(`node ${name} is ${state}, last seen ${lastSeen}`, start),
    ...problems.map((problem) => bad(`node ${name}: ${problem}`, 'check the log: journalctl -u blockstored')),
  ];
}
