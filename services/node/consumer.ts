import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type MessagePlace, type NodeCommand, commandSchema, nodeCommandSchema } from '../../lib/client/command.ts';
import type { Redis } from '../../lib/redis/connection.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import type { Engine } from './operations/engine.ts';

const group = 'nodes';
const mostAtOnce = 128;
const blockMs = 5000;
/** A command that was fetched and not carried out for so long is fetched again. */
const abandonedMs = 30_000;
const awayPauseMs = 200;

/** What XREADGROUP gives: topics with their entries, each an id and its fields. */
const readingSchema = z
  .array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.string()).nullable()]))]))
  .nullable();
const claimSchema = z
  .tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.string()).nullable()]))])
  .rest(z.unknown());

const anyCommandSchema = z.union([commandSchema, nodeCommandSchema]);

type Entries = [string, string[] | null][];

export interface ConsumerOptions {
  store: Store;
  engine: Engine;
  log: Log;
  node: string;
  /** The topics or their group are not there: Redis has lost them. */
  onTopicsLost: () => Promise<void>;
  /** The topic of any node; `<topic>.<node>` is this node's own. */
  topic: string;
  /** Carries out what is asked of the node itself; does not throw. */
  onNodeCommand: (command: NodeCommand, message: MessagePlace) => void;
}

/** Fetches commands from the node's two topics, as many as the engine has room for. */
export class Consumer implements Service {
  readonly name = 'consumer';
  private readonly options: ConsumerOptions;
  private readonly topics: readonly [string, string];
  private redis: Redis | undefined;
  private stopping = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(options: ConsumerOptions) {
    this.options = options;
    this.topics = [options.topic, `${options.topic}.${options.node}`];
  }

  async start(): Promise<void> {
    this.redis = await this.options.store.connection.another();
    await this.resume();
    this.loop = this.consume(this.redis);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.redis?.disconnect();
    await this.loop;
  }

  /** What was fetched before a crash, or whose fetching was cut off, and is not carried out. */
  async resume(): Promise<void> {
    const fetched = await this.options.store.read((redis) => this.fetch(redis, '0', undefined));
    for (const [topic, entries] of fetched) this.submit(topic, entries, 'left');
  }

  /** Takes up commands that were fetched and then left lying, by another node or by this one. */
  async takeAbandoned(): Promise<void> {
    const { store, node } = this.options;
    for (const topic of this.topics) {
      const answer = await store.read((redis) =>
        redis.xautoclaim(store.keys.topic(topic), group, node, abandonedMs, '0', 'COUNT', mostAtOnce),
      );
      const [, entries] = claimSchema.parse(answer);
      this.submit(topic, entries, 'left');
    }
  }

  private async consume(redis: Redis): Promise<void> {
    while (!this.stopping) {
      try {
        if (this.options.engine.freeSlots === 0) await pause(1);
        else for (const [topic, entries] of await this.fetch(redis, '>', blockMs)) this.submit(topic, entries, 'topic');
      } catch (error) {
        if (this.stopping) return;
        if (asError(error).message.includes('NOGROUP')) await this.options.onTopicsLost();
        // That Redis is away is logged by its connection, that the name is lost by the report.
        this.options.log.debug('commands cannot be fetched', { reason: asError(error).message });
        await pause(awayPauseMs);
      }
    }
  }

  private async fetch(redis: Redis, from: '0' | '>', block: number | undefined): Promise<[string, Entries][]> {
    const { store, node, engine } = this.options;
    const [any, own] = this.topics;
    const keys = [store.keys.topic(any), store.keys.topic(own)] as const;
    const count = from === '0' ? 100_000 : Math.min(engine.freeSlots, mostAtOnce);
    const answer: unknown =
      block === undefined
        ? await redis.xreadgroup('GROUP', group, node, 'COUNT', count, 'STREAMS', ...keys, from, from)
        : await redis.xreadgroup('GROUP', group, node, 'COUNT', count, 'BLOCK', block, 'STREAMS', ...keys, from, from);
    return (readingSchema.parse(answer) ?? []).map(([key, entries]) => [key === keys[0] ? any : own, entries]);
  }

  /** `left`: somebody fetched it before, and may have done part of it or be at it. */
  private submit(topic: string, entries: Entries, from: 'topic' | 'left'): void {
    for (const [entry, fields] of entries) {
      const text = fields?.[1];
      if (text === undefined) continue; // deleted while it was pending
      const message = { topic, entry };
      try {
        const command = anyCommandSchema.parse(JSON.parse(text));
        if (command.operation === 'audit') this.options.onNodeCommand(command, message);
        else this.options.engine.submit({ command, message, again: from !== 'topic' });
      } catch (error) {
        // Left in the topic: a newer version of the daemon may understand it.
        this.options.log.error('a command cannot be understood', { ...message, reason: asError(error).message });
      }
    }
  }
}
