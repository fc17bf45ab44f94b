import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';
import { errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { shardOf } from './cluster.ts';

export type RedisFlags = Pick<
  Flags,
  | 'redis_host'
  | 'redis_port'
  | 'redis_db'
  | 'redis_url'
  | 'redis_user'
  | 'redis_password'
  | 'redis_tls'
  | 'redis_tls_ca'
  | 'redis_sentinels'
  | 'redis_sentinel_name'
  | 'redis_cluster'
  | 'redis_prefix'
>;

const connectTimeoutMs = 5000;
/** An answer that takes so long will not come: the connection is given up. A blocking read answers sooner. */
const silenceMs = 10_000;

/** Replies keep the shapes of ioredis 5: flat arrays with scores, hashes as objects. */
export type ConnectionOptions = RedisOptions & { replyMapping: 'legacy' };

/** Options of the connection that flags describe. `where` names the place in errors, without secrets. */
export function connectionOptions(flags: RedisFlags): { options: ConnectionOptions; where: string } {
  const base: ConnectionOptions = {
    replyMapping: 'legacy',
    lazyConnect: true,
    disableClientInfo: true,
    connectTimeout: connectTimeoutMs,
    socketTimeout: silenceMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    // It is not the primary, or no longer: who is, is asked anew.
    reconnectOnError: (error) => (/READONLY|MOVED|UNBLOCKED/.test(error.message) ? 1 : false),
    ...(flags.redis_user === '' ? {} : { username: flags.redis_user }),
    ...(flags.redis_password === '' ? {} : { password: flags.redis_password }),
    ...(flags.redis_tls ? { tls: tlsOptions(flags) } : {}),
  };
  if (flags.redis_sentinels.length > 0) {
    const where = `${flags.redis_sentinel_name} of Sentinels ${flags.redis_sentinels.join(', ')}`;
    // TLS then means the Sentinels as well: they hand out the primary's address.
    const tls = flags.redis_tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(flags) } : {};
    const options = {
      ...base,
      ...tls,
      sentinels: addresses(flags.redis_sentinels, 26_379),
      sentinelCommandTimeout: connectTimeoutMs,
      name: flags.redis_sentinel_name,
      db: flags.redis_db,
    };
    return { where, options };
  }
  if (flags.redis_cluster.length > 0) {
    const where = `Cluster ${flags.redis_cluster.join(', ')}`;
    const Connector = shardOf(addresses(flags.redis_cluster, 6379), flags.redis_prefix, base);
    return { where, options: { ...base, Connector } };
  }
  if (flags.redis_url === '') {
    const where = `${flags.redis_host}:${flags.redis_port}`;
    return { where, options: { ...base, host: flags.redis_host, port: flags.redis_port, db: flags.redis_db } };
  }
  return fromUrl(flags, base);
}

/** Of host:port; a host alone has the usual port. */
function addresses(list: readonly string[], usualPort: number): { host: string; port: number }[] {
  return list.map((address) => {
    const [host = '', port = usualPort] = address.split(':');
    return { host, port: Number(port) };
  });
}

function fromUrl(flags: RedisFlags, base: ConnectionOptions): { options: ConnectionOptions; where: string } {
  if (!URL.canParse(flags.redis_url)) throw errors.invalidFlags(['redis_url is not a URL']);
  const url = new URL(flags.redis_url);
  const db = Number(url.searchParams.get('db') ?? (url.protocol === 'unix:' ? '0' : url.pathname.slice(1) || '0'));
  if (url.protocol === 'unix:') {
    return { where: url.pathname, options: { ...base, path: url.pathname, db } };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw errors.invalidFlags([`redis_url must begin with redis://, rediss:// or unix:, not ${url.protocol}`]);
  }
  const port = Number(url.port || '6379');
  return {
    where: `${url.hostname}:${port}`,
    options: {
      ...base,
      host: url.hostname,
      port,
      db,
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(url.protocol === 'rediss:' ? { tls: tlsOptions(flags) } : {}),
    },
  };
}

function tlsOptions(flags: RedisFlags): { ca?: string } {
  return flags.redis_tls_ca === '' ? {} : { ca: readFileSync(flags.redis_tls_ca, 'utf8') };
}
