import { setTimeout as pause } from 'node:timers/promises';
import { topicOf } from '../../lib/client/message.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { backendId } from '../../lib/models/backend.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import type { Store } from '../../lib/redis/store.ts';

/** What Redis has for the node. A figure is undefined where its key is damaged, or Redis refuses the command. */
export interface RedisFigures {
  /** Seconds that one request took. */
  latency: number;
  /** Commands that the node has not fetched. */
  topicLength: number | undefined;
  /** Volumes of the node that have a task. */
  tasks: number | undefined;
  /** Seconds since the oldest of these began; 0 without tasks. */
  oldestTaskAge: number | undefined;
  /** Bytes that are allocated to volumes, by backend. */
  allocated: ReadonlyMap<string, number>;
}

/** A Redis that answers later counts as unreachable. */
const patienceMs = 2000;
/** So old are the figures that a request gets at most: many requests cost Redis no more than one a second. */
const freshMs = 1000;

type NodeFlags = Pick<Flags, 'storage_name' | 'volume_topic'>;

/** Reads the figures of a node from Redis: a few counts, whatever there is of volumes and requests. */
export class RedisReader {
  private readonly flags: NodeFlags;
  private reading: Promise<RedisFigures | undefined> | undefined;
  private readUntil = 0;

  constructor(flags: NodeFlags) {
    this.flags = flags;
  }

  /** Returns undefined where Redis does not answer within two seconds. */
  read(store: Store | undefined, backends: readonly string[]): Promise<RedisFigures | undefined> {
    if (!store || store.connection.isAway) return Promise.resolve(undefined);
    if (this.reading && performance.now() < this.readUntil) return this.reading;
    this.readUntil = Infinity;
    this.reading = this.readNow(store, backends).finally(() => {
      this.readUntil = performance.now() + freshMs;
    });
    return this.reading;
  }

  private async readNow(store: Store, backends: readonly string[]): Promise<RedisFigures | undefined> {
    const over = new AbortController();
    const late = pause(patienceMs, undefined, { signal: over.signal }).catch(() => undefined);
    const answered = this.ask(store, backends).catch(() => undefined);
    const found = await Promise.race([answered, late]);
    over.abort();
    return found;
  }

  private async ask(store: Store, backends: readonly string[]): Promise<RedisFigures> {
    const { storage_name: node, volume_topic: topic } = this.flags;
    const { keys } = store;
    const begin = performance.now();
    const time = await redisTime(store);
    const latency = (performance.now() - begin) / 1000;
    const [topicLength, tasks, oldest, allocated] = await Promise.all([
      orUndefined(store.read((redis) => redis.xlen(keys.topic(topicOf(topic, node))))),
      orUndefined(store.read((redis) => redis.zcard(keys.tasks(node)))),
      orUndefined(store.read((redis) => redis.zrange(keys.tasks(node), '0', '0', 'WITHSCORES'))),
      Promise.all(
        backends.map((name) =>
          orUndefined(store.read((redis) => redis.hget(keys.backend(backendId(node, name)), 'allocatedBytes'))),
        ),
      ),
    ]);
    const began = oldest && Number(oldest[1] ?? time);
    return {
      latency,
      topicLength,
      tasks,
      oldestTaskAge: began === undefined ? undefined : Math.max(0, time - began) / 1000,
      allocated: new Map(
        backends.flatMap((name, index) => {
          const bytes = Number(allocated[index] ?? Number.NaN);
          return Number.isFinite(bytes) ? [[name, bytes] as const] : [];
        }),
      ),
    };
  }
}

function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch(() => undefined);
}
