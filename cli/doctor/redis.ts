import type { Flags } from '../../lib/flags/definitions.ts';
import { silentLog } from '../../lib/log.ts';
import { Node } from '../../lib/models/node.ts';
import { type Connection, connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { duration, plural } from '../format.ts';
import { hasCredentials } from './configuration.ts';
import { type Finding, bad, ok, warn } from './finding.ts';

const pings = 5;
const slowMs = 20;
const clockMs = 2000;
/** ZRANGE … BYLEX came with it. */
const leastVersion = [6, 2];

/** Redis, and what the cluster says of this node. Throws RedisUnreachable, RedisDenied. */
export async function checkCluster(flags: Flags, isStorage: boolean): Promise<readonly Finding[]> {
  const connection = await connect(flags, silentLog);
  try {
    const info = parseInfo(await connection.redis.info());
    return [
      ...(await checkAnswers(connection)),
      checkVersion(info),
      checkPersistence(info),
      checkEviction(info),
      ...checkPassword(flags, connection.where),
      await checkClock(connection),
      ...(isStorage ? await checkNode(new Store(connection, flags.redis_prefix), flags) : []),
    ];
  } catch (error) {
    throw connection.explain(error);
  } finally {
    await connection.close();
  }
}

async function checkAnswers({ redis, where }: Connection): Promise<Finding[]> {
  const times: number[] = [];
  for (let count = 0; count < pings; count += 1) {
    const began = performance.now();
    await redis.ping();
    times.push(performance.now() - began);
  }
  const median = times.toSorted((one, other) => one - other)[Math.floor(pings / 2)] ?? 0;
  const message = `Redis at ${where} answers in ${median.toFixed(1)} ms`;
  return [median > slowMs ? warn(message, 'use a Redis nearer to the nodes, or one with less to do') : ok(message)];
}

function checkVersion(info: ReadonlyMap<string, string>): Finding {
  const version = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = leastVersion;
  const isEnough = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return isEnough
    ? ok(`Redis ${version}`)
    : bad(`Redis ${version} is too old`, `install ${leastVersion.join('.')} or later`);
}

function checkPersistence(info: ReadonlyMap<string, string>): Finding {
  if (info.get('aof_enabled') === '1') return ok('Redis keeps an append-only file');
  const replicas = Number(info.get('connected_slaves') ?? 0);
  if (replicas > 0) return ok(`Redis has ${plural(replicas, 'replica')}`);
  return bad(
    'Redis has neither an append-only file nor a replica: a crash loses records of volumes',
    'redis-cli config set appendonly yes, and the same in redis.conf',
  );
}

function checkEviction(info: ReadonlyMap<string, string>): Finding {
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy === 'noeviction') return ok('Redis evicts nothing');
  const message = `Redis throws keys away when memory is short (maxmemory-policy ${policy})`;
  const hint = 'redis-cli config set maxmemory-policy noeviction, and the same in redis.conf';
  return info.get('maxmemory') === '0' ? warn(message, hint) : bad(message, hint);
}

function checkPassword(flags: Flags, where: string): Finding[] {
  const isLocal = /^(\/|127\.|localhost:|\[?::1)/.test(where);
  const hasPassword = flags.redis_password !== '' || hasCredentials(flags.redis_url);
  if (hasPassword || isLocal) return [];
  return [
    warn(
      'Redis asks for no password: who reaches it may delete volumes',
      'set requirepass there, and redis_password here',
    ),
  ];
}

async function checkClock({ redis }: Connection): Promise<Finding> {
  const before = Date.now();
  const [seconds, micros] = await redis.time();
  const here = (before + Date.now()) / 2;
  const difference = Math.abs(here - (Number(seconds) * 1000 + Number(micros) / 1000));
  const message = `the clocks of this host and of Redis differ by ${(difference / 1000).toFixed(1)} s`;
  return difference > clockMs ? warn(message, 'run chrony or systemd-timesyncd on both') : ok(message);
}

async function checkNode(store: Store, flags: Flags): Promise<Finding[]> {
  const name = flags.storage_name;
  const nodes = await store.read((redis) => redis.zscore(store.keys.nodes(), name));
  const start = 'start the daemon: systemctl start blockstored';
  if (nodes === null) return [warn(`the cluster has not heard of a node ${name} yet`, start)];
  const { state } = await Node.lookup(store, name);
  const heard = state.reportTime === undefined ? 'never' : `${duration(Date.now() - state.reportTime)} ago`;
  return [
    state.state === 'up'
      ? ok(`node ${name} is up, heard of ${heard}`)
      : bad(`node ${name} is ${state.state}, heard of ${heard}`, start),
    ...state.problems.map((problem) => bad(`node ${name}: ${problem}`, 'see the log: journalctl -u blockstored')),
  ];
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\r\n').map((line) => line.split(':'));
  return new Map(pairs.flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [[name, value]])));
}
