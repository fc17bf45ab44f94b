import { type Socket, connect as connectPlain } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { z } from 'zod';
import { NoShardError, reasonOf } from './failures.ts';
import { makeKeys } from './keys.ts';

interface Address {
  host: string;
  port: number;
}

/** Each range of slots: first, last, then its nodes, the primary first. */
const slotsSchema = z.array(
  z.tuple([z.number(), z.number(), z.tuple([z.string().nullable(), z.number()]).rest(z.unknown())]).rest(z.unknown()),
);

const longestPauseMs = 1000;
const disconnectTimeoutMs = 2000;

/**
 * A way to the one shard of a Redis Cluster that has the keys of a prefix: whenever a connection is made, any node that answers is
 * asked whose they are now. So a Cluster is used as a Redis with a failover, and WAIT, SCAN and blocking reads, which name no key,
 * ask the shard that has the records. Clients that know all shards send these to any of them.
 */
export function shardOf(seeds: readonly Address[], prefix: string, options: RedisOptions): new () => AbstractConnector {
  /** The next one to be asked first; shared by all connections. */
  let nodes = [...seeds];

  return class extends AbstractConnector {
    constructor() {
      super(disconnectTimeoutMs);
    }

    /** Tries again for ever, and tells each round that found no one. */
    async connect(tell: (type: string, error: Error) => void): Promise<Socket | TLSSocket> {
      this.connecting = true;
      for (let round = 1; ; round += 1) {
        let last = new Error('no node is known');
        for (const node of nodes) {
          try {
            const owner = await this.ask(node);
            return this.open(owner);
          } catch (error) {
            last = error instanceof Error ? error : new Error(String(error));
            if (!this.connecting) throw new Error('Connection is closed.', { cause: error });
          }
        }
        tell(
          'error',
          new NoShardError(`no node of the Cluster knows where the records are; last: ${reasonOf(last)}`, {
            cause: last,
          }),
        );
        await pause(Math.min(100 * round, longestPauseMs));
        if (!this.connecting) throw new Error('Connection is closed.');
      }
    }

    /** A node may believe itself the primary for a while after it no longer is: then its writes are refused. */
    override check(info: { role?: string }): boolean {
      return info.role === undefined || info.role === 'master';
    }

    private open({ host, port }: Address): Socket | TLSSocket {
      if (!this.connecting) throw new Error('Connection is closed.');
      const { tls } = options;
      this.stream = tls ? connectTls({ ...tls, host, port }) : connectPlain({ host, port });
      this.stream.once('error', (error: Error) => {
        this.firstError = error;
      });
      return this.stream;
    }

    private async ask({ host, port }: Address): Promise<Address> {
      const { username, password, tls, connectTimeout, socketTimeout } = options;
      const redis = new Redis({
        replyMapping: 'legacy',
        host,
        port,
        lazyConnect: true,
        disableClientInfo: true,
        enableReadyCheck: false,
        ...Object.fromEntries(
          Object.entries({ username, password, tls, connectTimeout, socketTimeout }).filter(
            ([, value]) => value != null,
          ),
        ),
        commandTimeout: connectTimeout ?? longestPauseMs,
        retryStrategy: () => null,
      });
      let failure: Error | undefined;
      redis.on('error', (error: Error) => {
        failure = error;
      });
      try {
        await redis.connect();
        const [slot, answer] = await Promise.all([
          redis.cluster('KEYSLOT', makeKeys(prefix).prefix),
          redis.cluster('SLOTS'),
        ]);
        const primaries = slotsSchema
          .parse(answer)
          .map(([first, last, [name, at]]) => ({ first, last, at: { host: name || host, port: at } }));
        const owner = primaries.find(({ first, last }) => first <= slot && slot <= last)?.at;
        if (!owner) throw new Error(`nobody has slot ${slot}`);
        remember(primaries.map(({ at }) => at));
        return owner;
      } catch (error) {
        throw failure ?? error;
      } finally {
        redis.disconnect();
      }
    }
  };

  /** Those that the Cluster itself names, after what was configured: it may have moved since. The first one is asked last next time. */
  function remember(found: readonly Address[]): void {
    const all = new Map([...nodes, ...seeds, ...found].map((node) => [`${node.host}:${node.port}`, node]));
    const [first, ...rest] = all.values();
    nodes = first ? [...rest, first] : rest;
  }
}
