import type { Redis } from 'ioredis';
import { BlockstoreError } from '../errors.ts';
import type { Log } from '../log.ts';
import { closedHint } from '../redis-errors.ts';
import { ConnectionLoss } from './connection-loss.ts';
import { hasPlainHint } from './failures.ts';

/** The connection that is made first, and logs for all of them while it is interrupted itself. */
interface MainConnection {
  readonly count: number;
  readonly isAway: boolean;
  readonly isClosing: boolean;
  readonly log: Log;
  explain(thrown: unknown, redis: Redis): Error;
}

/** A connection beside the main one. One line is logged when it cannot be made again although the main one is there, and one when it is back. */
export class FurtherConnection {
  readonly redis: Redis;
  readonly reason: ConnectionLoss;
  private readonly main: MainConnection;
  /** What it is for, as the log names it: "heartbeats". */
  private readonly purpose: string;
  private wasReady = false;
  /** Number of the main connection beside which the attempt under way began; undefined: beside none. */
  private begunBeside: number | undefined;
  private logged: { beside: number; line: string; hint: string } | undefined;

  constructor(redis: Redis, purpose: string, main: MainConnection) {
    this.redis = redis;
    this.purpose = purpose;
    this.main = main;
    this.reason = new ConnectionLoss(redis);
    redis.on('connecting', () => {
      this.begunBeside = this.wasReady && !main.isAway ? main.count : undefined;
    });
    redis.on('error', () => this.noticeFailure());
    redis.on('close', () => this.noticeFailure());
    redis.on('ready', () => {
      if (this.problem !== undefined) main.log.info(`the connection to Redis for ${purpose} is back`);
      this.wasReady = true;
      this.begunBeside = undefined;
      this.logged = undefined;
    });
  }

  /** Why it cannot be made again, as it was logged. */
  get problem(): string | undefined {
    return this.logged?.beside === this.main.count ? this.logged.line : undefined;
  }

  /** The end of a connection is no failure yet: usually all of them end, and the main one may only notice it later. */
  private noticeFailure(): void {
    const { main, begunBeside } = this;
    if (begunBeside === undefined || main.isClosing || main.isAway || main.count !== begunBeside) return;
    const error = main.explain(this.reason.error ?? new Error('Connection is closed.'), this.redis);
    const hint = (error instanceof BlockstoreError ? error.hint : undefined) ?? closedHint;
    if (this.problem !== undefined && (this.logged?.hint === hint || hasPlainHint(error))) return;
    const line = `the connection to Redis for ${this.purpose} cannot be made again: ${error.message}`;
    this.logged = { beside: begunBeside, line, hint };
    main.log.error(line, { hint });
  }
}
