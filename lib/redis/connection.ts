import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { BlockstoreError } from '../errors.ts';
import type { Log } from '../log.ts';
import { closedHint } from '../redis-errors.ts';
import { RedisClient } from './client.ts';
import { ConnectionLoss } from './connection-loss.ts';
import { type ConnectionOptions, type RedisFlags, connectionOptions } from './connection-options.ts';
import { explainFailure, hasPlainHint, isEnded, reasonOf, saysOnlyClosed } from './failures.ts';
import { firstConnect } from './first-connect.ts';
import { FurtherConnection } from './further-connection.ts';
import { greetingOf } from './greeting.ts';
import { RecentCount } from './recent-count.ts';
import { serverIdentity } from './server-identity.ts';

/** What `another` gives; nobody else makes one. */
export type { Redis };

/** A command that has no answer by then fails: a hanging Redis must not hang its users. */
const commandTimeoutMs = 10_000;

/** A connection that breaks so often within ten minutes does so for a reason that somebody can remove. */
const maxBreaks = 5;
const breaksMs = 600_000;

/**
 * Connects, or throws RedisUnreachable or RedisDenied. Once connected it reconnects by itself for ever; while away, every
 * command fails at once. One line is logged when Redis goes and one when it comes back.
 */
export async function connect(flags: RedisFlags, log: Log): Promise<Connection> {
  const { options, where } = connectionOptions(flags);
  const connection = new Connection(
    new RedisClient({ ...options, commandTimeout: commandTimeoutMs }),
    options,
    where,
    log,
  );
  await connection.open();
  return connection;
}

export class Connection {
  readonly redis: Redis;
  readonly where: string;
  readonly log: Log;
  private readonly options: ConnectionOptions;
  private readonly away: ConnectionLoss;
  private readonly others: FurtherConnection[] = [];
  /** Why, as it was logged, while it is away: '' = nobody answers. */
  private awayFor: string | undefined;
  isClosing = false;
  /** Before, a failure is thrown, not logged. */
  private opened = false;
  private times = 0;
  private readonly breaks = new RecentCount(breaksMs);
  private identified: { count: number; identity: string } | undefined;

  constructor(redis: Redis, options: ConnectionOptions, where: string, log: Log) {
    this.redis = redis;
    this.options = options;
    this.where = where;
    this.log = log;
    this.away = new ConnectionLoss(redis);
    redis.on('error', () => this.noticeAway());
    redis.on('close', () => this.noticeAway());
    redis.on('ready', () => {
      if (this.awayFor !== undefined) this.log.info(`Redis at ${where} is reachable again`);
      if (this.opened) this.breaks.add();
      this.awayFor = undefined;
      this.opened = true;
      this.times += 1;
    });
    refuseOtherDatabase(redis);
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
      await firstConnect(this.redis, this.where);
    } catch (error) {
      this.isClosing = true;
      this.redis.disconnect();
      const cause = this.away.error ?? error;
      throw this.explain((await this.greeting(cause)) ?? cause);
    }
  }

  /** What Redis said before it ended the first connection; undefined where it said nothing, or the connection failed in another way. */
  private async greeting(cause: unknown): Promise<Error | undefined> {
    const { host, port, path, tls } = this.options;
    if (!(cause instanceof Error) || tls !== undefined || !isEnded(cause)) return undefined;
    const text = await greetingOf(path === undefined ? { host: host ?? '', port: port ?? 0 } : { path });
    return text === '' ? undefined : Object.assign(new Error(text), { name: 'ReplyError' });
  }

  /**
   * Returns a further connection, for blocking reads, subscriptions, or commands that must not queue behind others (`hasTimeLimit`).
   * A subscriber subscribes again whenever it is ready. Closed with this one. `purpose`: as the log names it. Throws RedisUnreachable.
   */
  async another({ purpose = 'further commands', hasTimeLimit = false } = {}): Promise<Redis> {
    const redis = new RedisClient({
      ...this.options,
      autoResubscribe: false,
      ...(hasTimeLimit ? { commandTimeout: commandTimeoutMs } : {}),
    });
    const other = new FurtherConnection(redis, purpose, this);
    this.others.push(other);
    refuseOtherDatabase(redis);
    try {
      await firstConnect(redis, this.where);
    } catch (error) {
      redis.disconnect();
      const explained = this.explain(error, redis);
      this.others.splice(this.others.indexOf(other), 1);
      throw explained;
    }
    return redis;
  }

  /** One line each: that it breaks again and again, and further connections that cannot be made again although this one is there. */
  get problems(): string[] {
    const { total } = this.breaks;
    const breaks =
      `the connection to Redis at ${this.where} broke ${total} times within ten minutes; ` +
      'raise "timeout" of redis.conf, and the idle limit of a proxy before it, above report_interval';
    return [...(total < maxBreaks ? [] : [breaks]), ...this.others.flatMap(({ problem }) => problem ?? [])];
  }

  /** Whatever a command of a connection threw, as an error of the catalogue; a fault of the program as it is. */
  explain(thrown: unknown, redis = this.redis): BlockstoreError | Error {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const away = this.others.find((other) => other.redis === redis)?.reason ?? this.away;
    away.noteAnswer(error);
    const reason = away.error ?? this.away.error;
    const cause = reason && saysOnlyClosed(error) ? reason : error;
    const about = { where: this.where, usesTls: this.options.tls !== undefined };
    return explainFailure(cause, about) ?? explainFailure(error, about) ?? error;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    for (const redis of [...this.others.map((other) => other.redis), this.redis]) {
      const ended = redis.status === 'ready' ? once(redis, 'end') : undefined; // elsewhere there is nothing to wait for
      redis.disconnect();
      await ended;
    }
  }

  /** One line when it goes, and another one where what keeps it from coming back is not that nobody answers. */
  private noticeAway(): void {
    if (this.isClosing || !this.opened) return;
    const thrown = this.away.error;
    const error = thrown && this.explain(thrown);
    const hint = error instanceof BlockstoreError ? error.hint : undefined;
    const reason = !error || hasPlainHint(error) ? '' : (hint ?? '');
    if (this.awayFor === reason || (this.awayFor !== undefined && reason === '')) return;
    this.awayFor = reason;
    if (error && reason !== '') this.log.error(error.message, { hint });
    else {
      const why = thrown ? reasonOf(thrown) : 'the connection was closed';
      this.log.error(`Redis at ${this.where} is unreachable: ${why}`, {
        hint: thrown ? 'start Redis; until then no change is accepted and exports continue' : closedHint,
      });
    }
  }
}

/**
 * The library would go on in database 0, whose keys are another cluster's, where Redis refuses the database, or refuses it later than a
 * command may take: an error before the connection is ready is one of its first commands.
 */
function refuseOtherDatabase(redis: Redis): void {
  redis.on('error', () => {
    if (redis.status === 'connect') redis.disconnect(true);
  });
}
