import { once } from 'node:events';
import { Redis } from 'ioredis';
import { type BlockstoreError, errors } from '../errors.ts';
import type { Log } from '../log.ts';
import { type ConnectionOptions, type RedisFlags, connectionOptions } from './connection-options.ts';
import { serverIdentity } from './server-identity.ts';

/** What `another` gives; nobody else makes one. */
export type { Redis };

/** A command that has no answer by then fails: a hanging Redis must not hang its users. */
const commandTimeoutMs = 10_000;

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
  private readonly options: ConnectionOptions;
  private readonly others: Redis[] = [];
  private away = false;
  private closing = false;
  /** Before, a failure is thrown, not logged. */
  private opened = false;
  private times = 0;
  private lastError: Error | undefined;
  private identified: { count: number; identity: string } | undefined;

  constructor(redis: Redis, options: ConnectionOptions, where: string, log: Log) {
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
      if (this.away) this.log.info(`Redis at ${where} is reachable again`);
      this.away = false;
      this.opened = true;
      this.times += 1;
    });
  }

  /** How often it was made. With each time, what was sent may not have been carried out. */
  get count(): number {
    return this.times;
  }

  /**
   * Returns what identifies the data of the server that this connection leads to now: another value means that changes may have been lost.
   * Throws RedisUnreachable, RedisDenied.
   */
  async identity(): Promise<string> {
    const { count } = this;
    if (this.identified?.count === count) return this.identified.identity;
    try {
      const identity = (await serverIdentity(this.redis)) ?? `connection ${count}`;
      this.identified = { count, identity };
      return identity;
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** Whether it is interrupted. */
  get isAway(): boolean {
    return this.redis.status !== 'ready';
  }

  async open(): Promise<void> {
    try {
      await firstConnect(this.redis);
    } catch (error) {
      this.closing = true;
      this.redis.disconnect();
      throw this.explain(this.lastError ?? error);
    }
  }

  /**
   * Returns a further connection, for blocking reads, subscriptions, or commands that must not queue behind others (`hasTimeLimit`).
   * A subscriber subscribes again whenever it is ready. Closed with this one. Throws RedisUnreachable.
   */
  async another({ hasTimeLimit = false } = {}): Promise<Redis> {
    const other = new Redis({
      ...this.options,
      autoResubscribe: false,
      ...(hasTimeLimit ? { commandTimeout: commandTimeoutMs } : {}),
    });
    other.on('error', () => {}); // the main connection reports for all
    this.others.push(other);
    try {
      await firstConnect(other);
    } catch (error) {
      other.disconnect();
      throw this.explain(error);
    }
    return other;
  }

  /** Whatever a command threw, as an error of the catalogue. */
  explain(thrown: unknown): BlockstoreError | Error {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (
      /^(NOAUTH|WRONGPASS|NOPERM)|invalid (username-password|password)|without any password|executing the script can't/i.test(
        error.message,
      )
    ) {
      return errors.redisDenied(this.where, error.message);
    }
    if (error.message.includes('DB index is out of range')) {
      const { db } = this.options;
      return errors.invalidFlags([
        `redis_db = ${db}, also as the end of redis_url, is not a database of Redis at ${this.where}`,
      ]);
    }
    if (/\b(OOM|MISCONF|NOREPLICAS)\b/.test(error.message)) return errors.redisRefuses(this.where, error.message);
    const lost =
      /Connection is closed|Command aborted|Stream isn't writeable|max retries per request|ECONN|ENOENT|EPIPE|EACCES|ETIMEDOUT|EHOST|ENOTFOUND|Command timed out|Socket timeout|LOADING|BUSY Redis|READONLY|UNBLOCKED|MASTERDOWN|CLUSTERDOWN|MOVED|\bASK\b|TRYAGAIN|sentinel/i;
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
    this.log.error(`Redis at ${this.where} is unreachable: ${this.lastError?.message ?? 'the connection was closed'}`, {
      hint: 'start Redis; until then no change is accepted and exports continue',
    });
  }
}

/** Sentinels and Clusters are queried again without a limit; only their first failure is logged. */
async function firstConnect(redis: Redis): Promise<void> {
  const failed = Promise.withResolvers<never>();
  redis.once('error', failed.reject);
  const connected = redis.connect();
  connected.catch(() => {}); // it loses the race to its own error
  try {
    await Promise.race([connected, failed.promise]);
  } finally {
    redis.off('error', failed.reject);
  }
}
