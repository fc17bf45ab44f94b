import { X509Certificate } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import { errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { readNamedFile } from '../named-file.ts';
import { shardOf } from './cluster.ts';
import { type Endpoint, parseEndpoint, parseHost, parseRedisUrl } from './url.ts';

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
  const ca = tlsOptions(flags); // also without TLS: a file that cannot be read is a mistake, and the connection would be plain
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
    reconnectOnError: (error) => (/^(?:READONLY|MOVED|UNBLOCKED)\b/.test(error.message) ? 1 : false),
    ...(flags.redis_user === '' ? {} : { username: flags.redis_user }),
    ...(flags.redis_password === '' ? {} : { password: flags.redis_password }),
    ...(flags.redis_tls ? { tls: ca } : {}),
  };
  if (flags.redis_sentinels.length > 0) {
    const where = `${flags.redis_sentinel_name} of Sentinels ${flags.redis_sentinels.join(', ')}`;
    // TLS then means the Sentinels as well: they hand out the primary's address.
    const tls = flags.redis_tls ? { enableTLSForSentinelMode: true, sentinelTLS: ca } : {};
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
    const endpoint = { host: parseHost(flags.redis_host), port: flags.redis_port };
    return { where: shown(endpoint), options: { ...base, ...endpoint, db: flags.redis_db } };
  }
  return fromUrl(flags, base, ca);
}

function addresses(list: readonly string[], defaultPort: number): Endpoint[] {
  return list.map((text) => parseEndpoint(text, defaultPort));
}

function fromUrl(
  flags: RedisFlags,
  base: ConnectionOptions,
  ca: { ca?: string },
): { options: ConnectionOptions; where: string } {
  const url = parseRedisUrl(flags.redis_url);
  const { db, user, password } = url;
  const options = {
    ...base,
    db,
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
  };
  if ('path' in url) return { where: url.path, options: { ...options, path: url.path } };
  const { host, port, tls } = url;
  return {
    where: shown({ host, port }),
    options: { ...options, host, port, ...(tls ? { tls: ca } : {}) },
  };
}

function shown({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Throws InvalidFlags. */
function tlsOptions({ redis_tls_ca: file }: RedisFlags): { ca?: string } {
  if (file === '') return {};
  const refused = (reason: string) => errors.invalidFlags([`redis_tls_ca = ${JSON.stringify(file)} ${reason}`]);
  const content = readNamedFile(file);
  if ('problem' in content) throw refused(`cannot be read: ${content.problem}`);
  if (!isCertificate(content.text)) throw refused('is not a certificate in PEM format');
  return { ca: content.text };
}

/** TLS ignores any other text, and would then trust the system's authorities. */
function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
