import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Redis, type RedisOptions } from 'ioredis';
import { type BlockstoreError, errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import type { Log } from '../log.ts';

/** What `another` gives; nobody else makes one. */
export type { Redis };

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
>;

const connectTimeoutMs = 5000;
/** A command that has no answer by then fails: a hanging Redis must not hang its users. */
const commandTimeoutMs = 10_000;

/** Replies keep the shapes of ioredis 5: flat arrays with scores, hashes as objects. */
type Options = RedisOptions & { replyMapping: 'legacy' };

/** Options of the connection that flags describe. `where` names the place in errors, without secrets. */
export function connectionOptions(flags: RedisFlags): { options: Options; where: string } {
  const base: Options = {
    replyMapping: 'legacy',
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 5), 1000),
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
    ...(flags.redis_user === '' ? {} : { username: flags.redis_user }),
    ...(flags.redis_password === '' ? {} : { password: flags.redis_password }),
    ...(flags.redis_tls ? { tls: tlsOptions(flags) } : {}),
  };
  if (flags.redis_sentinels.length > 0) {
    const sentinels = flags.redis_sentinels.map((address) => {
      const [host = '', port = '26379'] = address.split(':');
      return { host, port: Number(port) };
    });
    const where = `${flags.redis_sentinel_name} of Sentinels ${flags.redis_sentinels.join(', ')}`;
    // TLS then means the Sentinels as well: they hand out the primary's address.
    const tls = flags.redis_tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(flags) } : {};
    const options = { ...base, ...tls, sentinels, name: flags.redis_sentinel_name, db: flags.redis_db };
    return { where, options };
  }
  if (flags.redis_url === '') {
    const where = `${flags.redis_host}:${flags.redis_port}`;
    return { where, options: { ...base, host: flags.redis_host, port: flags.redis_port, db: flags.redis_db } };
  }
  return fromUrl(flags, base);
}

function fromUrl(flags: RedisFlags, base: Options): { options: Options; where: string } {
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

/**
 * Connects, or throws RedisUnreachable or RedisDenied. Once connected it reconnects by itself for ever; while away, every
 * command fails at once. One line is logged when Redis goes and one when it comes back.
 */
export async function connect(flags: RedisFlags, log: Log): Promise<Connection> {
  const { options, where } = connectionOptions(flags);
  const connection = new Connection(new Redis({ ...options, commandTimeout: commandTimeoutMs }), options, where, log);
  await connection.open();
  return connection;
}

export class Connection {
  readonly redis: Redis;
  readonly where: string;
  private readonly log: Log;
  private readonly options: Options;
  private readonly others: Redis[] = [];
  private away = false;
  private closing = false;
  /** Before, a failure is thrown, not logged. */
  private opened = false;
  private lastError: Error | undefined;

  constructor(redis: Redis, options: Options, where: string, log: Log) {
    this.redis = redis;
    this.options = options;
    this.where = where;
    this.log = log;
    redis.on('error', (error: Error) => {
      this.lastError = error;
      this.noticeAway();
    });
    redis.on('close', () => this.noticeAway());
    redis.on('ready', () => {
      if (this.away) this.log.info(`Redis at ${where} is back`);
      this.away = false;
      this.opened = true;
    });
  }

  async open(): Promise<void> {
    try {
      await this.redis.connect();
    } catch (error) {
      this.closing = true;
      this.redis.disconnect();
      throw this.explain(this.lastError ?? error);
    }
  }

  /**
   * A further connection for blocking reads or subscriptions, which have no time limit. Closed with this one. Throws
   * RedisUnreachable.
   */
  async another(): Promise<Redis> {
    const other = new Redis({ ...this.options, autoResubscribe: true });
    other.on('error', () => {}); // the main connection speaks for all
    this.others.push(other);
    try {
      await other.connect();
    } catch (error) {
      other.disconnect();
      throw this.explain(error);
    }
    return other;
  }

  /** Whatever a command threw, as an error of the catalogue. */
  explain(thrown: unknown): BlockstoreError | Error {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (/^(NOAUTH|WRONGPASS|NOPERM)|invalid (username-password|password)|without any password/i.test(error.message)) {
      return errors.redisDenied(this.where, error.message);
    }
    const lost =
      /Connection is closed|Stream isn't writeable|max retries per request|ECONN|ENOENT|EPIPE|EACCES|ETIMEDOUT|EHOST|ENOTFOUND|Command timed out|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|sentinel/i;
    return lost.test(error.message) ? errors.redisUnreachable(this.where, this.reason(error)) : error;
  }

  async close(): Promise<void> {
    this.closing = true;
    for (const redis of [...this.others, this.redis]) {
      const ended = redis.status === 'ready' ? once(redis, 'end') : undefined; // elsewhere there is nothing to wait for
      redis.disconnect();
      await ended;
    }
  }

  private reason(error: Error): string {
    return this.lastError && /closed|writeable|retries/.test(error.message) ? this.lastError.message : error.message;
  }

  private noticeAway(): void {
    if (this.away || this.closing || !this.opened) return;
    this.away = true;
    this.log.error(`Redis at ${this.where} is away: ${this.lastError?.message ?? 'the connection was closed'}`, {
      hint: 'no change is accepted until it is back; exports go on',
    });
  }
}
