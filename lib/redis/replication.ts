import type { Connection, Redis } from './connection.ts';
import { isSameProcess, serverIdentity } from './server-identity.ts';

const waitMs = 5000;
/** The year 2100: the key that is written does not expire. */
const endOfTime = 4_102_444_800_000;

/**
 * Waits for replicas on a connection of its own, one WAIT at a time for all that ask meanwhile: on the connection that
 * sends the changes, WAIT would hold up every command behind it, heartbeats included.
 */
export class Replication {
  private readonly connection: Connection;
  private readonly key: string;
  private redis: Promise<Redis> | undefined;
  /** What the waiting connection leads to; asked again with each connection. */
  private identity: Promise<string | undefined> | undefined;
  private current: Promise<number> | undefined;
  private next: Promise<number> | undefined;

  /** `key`: a key to write, for WAIT counts what its own connection has written. */
  constructor(connection: Connection, key: string) {
    this.connection = connection;
    this.key = key;
  }

  /**
   * Returns how many replicas have every write made before this call over the connection numbered `over`; 0 when that
   * connection has ended, or leads to another server than the waiting one. Throws RedisUnreachable.
   */
  async wait(replicas: number, over: number): Promise<number> {
    const reached = await this.round(replicas);
    return this.connection.count === over ? reached : 0;
  }

  /** A round that begins after this call: one that is under way may not cover what was written since its beginning. */
  private round(replicas: number): Promise<number> {
    const { current } = this;
    if (!current) return this.begin(replicas);
    this.next ??= current
      .catch(() => 0)
      .then(() => {
        this.next = undefined;
        return this.begin(replicas);
      });
    return this.next;
  }

  private begin(replicas: number): Promise<number> {
    const round = this.ask(replicas).finally(() => {
      if (this.current === round) this.current = undefined;
    });
    this.current = round;
    return round;
  }

  private async connect(): Promise<Redis> {
    const redis = await this.connection.another({ purpose: 'the wait for replicas', hasTimeLimit: true });
    redis.on('close', () => (this.identity = undefined));
    return redis;
  }

  private async ask(replicas: number): Promise<number> {
    try {
      this.redis ??= this.connect();
      const redis = await this.redis;
      this.identity ??= serverIdentity(redis);
      const [own, main] = await Promise.all([this.identity, this.connection.identity()]);
      if (!isSameProcess(own, main)) return 0;
      // A write of each round that Redis also accepts without memory, where the key is there from an earlier one.
      const isWritten = await redis.pexpireat(this.key, endOfTime);
      if (isWritten === 0) await redis.set(this.key, '1');
      return await redis.wait(replicas, waitMs);
    } catch (error) {
      this.identity = undefined;
      if (this.redis) await this.redis.catch(() => (this.redis = undefined));
      throw this.connection.explain(error);
    }
  }
}
