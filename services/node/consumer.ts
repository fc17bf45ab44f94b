import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { commandSchema, topicOf } from '../../lib/client/message.ts';
import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Redis } from '../../lib/redis/connection.ts';
import { codeOf } from '../../lib/redis/failures.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import type { Engine } from './engine/engine.ts';

const maxBatch = 128;
const blockMs = 5000;
const retryMs = 200;

/** What XREAD gives: streams with their entries, each an id and its fields. */
const readingSchema = z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.string())]))])).nullable();

type Entries = [string, string[]][];

export interface ConsumerOptions {
  store: Store;
  engine: Engine;
  log: Log;
  node: string;
  topic: string;
  /** The node's record has a task. */
  onNodeTask: () => void;
  /** A volume is this node's now: that on which it was is gone. */
  onTaken: (id: string) => void;
  /** A migration to this node has changed. */
  onMigration: (id: string) => void;
  /** A job of the node begins. */
  onJob: (id: string) => void;
}

/**
 * Reads commands from the node's topic, as many as the engine has slots for. A command only names a record; the task in the record is
 * what is to be done. So an entry is deleted as soon as it is read: a task whose command is lost is re-driven.
 */
export class Consumer implements Service {
  readonly name = 'consumer';
  private readonly options: ConsumerOptions;
  private readonly key: string;
  private redis: Redis | undefined;
  private stopping = false;
  /** Volumes named by commands that are deleted, whose records could not be read. */
  private unread: string[] = [];
  private loop: Promise<void> = Promise.resolve();

  constructor(options: ConsumerOptions) {
    this.options = options;
    this.key = options.store.keys.topic(topicOf(options.topic, options.node));
  }

  async start(): Promise<void> {
    this.redis = await this.options.store.connection.another({ purpose: 'commands' });
    this.loop = this.consume(this.redis);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.redis?.disconnect();
    await this.loop;
  }

  private async consume(redis: Redis): Promise<void> {
    while (!this.stopping) {
      try {
        await this.consumeSome(redis);
      } catch (error) {
        if (this.stopping) return;
        if (error instanceof Error && codeOf(error) === 'WRONGTYPE') await this.replaceTopic();
        // The connection logs why it cannot be made again.
        this.options.log.debug('commands cannot be read', { reason: asError(error).message });
        await pause(retryMs);
      }
    }
  }

  private async consumeSome(redis: Redis): Promise<void> {
    const { engine, store } = this.options;
    const count = Math.min(engine.freeSlots, maxBatch);
    if (count === 0) {
      await pause(1);
      return;
    }
    const entries = this.unread.length > 0 ? [] : await this.nextEntries(redis, count);
    this.unread.push(...this.volumesIn(entries));
    if (entries.length + this.unread.length === 0) return;
    // Deleted before it is carried out: at worst the node's next report finds the task.
    const [page] = await Promise.all([
      volumesOf(store).readAll(this.unread),
      entries.length > 0 && store.read((main) => main.xdel(this.key, ...entries.map(([entry]) => entry))),
    ]);
    this.unread = [];
    for (const volume of page.states) engine.submit(volume, { isResumed: false });
    for (const { id, reason } of page.unreadable) this.options.log.error(`the record of volume ${id} ${reason}`);
  }

  /** The topic is no stream: somebody has overwritten it. Tasks are in the records, and reports find them. */
  private async replaceTopic(): Promise<void> {
    const { store, log } = this.options;
    log.warn(`the topic ${this.key} was no stream; it is made again`);
    await store.read((redis) => redis.del(this.key)).catch(() => {}); // it is tried again
  }

  private async nextEntries(redis: Redis, count: number): Promise<Entries> {
    const answer: unknown = await redis.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', this.key, '0');
    return readingSchema.parse(answer)?.[0]?.[1] ?? [];
  }

  private volumesIn(entries: Entries): string[] {
    const ids = new Set<string>();
    for (const [entry, fields] of entries) {
      const command = commandSchema.safeParse(parseJson(fields[1] ?? ''));
      if (!command.success) this.options.log.error('a command is unreadable', { entry });
      else if ('volume' in command.data) ids.add(command.data.volume);
      else if ('taken' in command.data) this.options.onTaken(command.data.taken);
      else if ('migration' in command.data) this.options.onMigration(command.data.migration);
      else if ('job' in command.data) this.options.onJob(command.data.job);
      else this.options.onNodeTask();
    }
    return [...ids];
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
