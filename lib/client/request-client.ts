import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { BlockstoreError, type Fault, fromFault } from '../errors.ts';
import { faultSchema } from '../models/fault.ts';
import { type Hash, hashSchema } from '../models/hash.ts';
import type { Redis } from '../redis/connection.ts';
import type { ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

const replySchema = z.object({
  request: z.string(),
  record: hashSchema.optional(),
  result: z.unknown().optional(),
  fault: faultSchema.optional(),
});

const firstPollMs = 250;
const longestPollMs = 4000;

/** How a request ended: with the record after it (none when it was removed), with a node's result, or with a fault. */
export type RequestEnd = { record?: Hash; result?: unknown } | { fault: BlockstoreError };

/**
 * Waits for the replies to requests. A reply is published by the script that ends the operation; should it be lost with a
 * connection, the record says the same: `poll` is called now and then, and once more at the deadline.
 */
export class RequestClient {
  private readonly store: Store;
  private readonly id = randomUUID().replaceAll('-', '').slice(0, 16);
  private readonly waiting = new Map<string, (end: RequestEnd) => void>();
  private subscription: Promise<Redis> | undefined;
  private count = 0;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Sends a request and waits for its end. `send` may know the end at once. `poll` returns the end as the record shows it, or
   * undefined while it goes on. Returns undefined when the deadline passes first, counted from here. Throws what `send` throws.
   */
  async call(options: {
    send: (to: ReplyTo) => Promise<RequestEnd | void>;
    poll: () => Promise<RequestEnd | undefined>;
    deadlineMs: number;
  }): Promise<RequestEnd | undefined> {
    this.subscription ??= this.subscribe();
    try {
      await this.subscription;
    } catch (error) {
      this.subscription = undefined;
      throw error;
    }
    this.count += 1;
    const request = String(this.count);
    const replied = new Promise<RequestEnd>((resolve) => this.waiting.set(request, resolve));
    const pauses = new Pauses();
    const endMs = performance.now() + options.deadlineMs;
    try {
      const end = await options.send(`${this.id}/${request}`);
      return end ?? (await Promise.race([replied, this.keepPolling(options.poll, endMs, pauses)]));
    } finally {
      pauses.end();
      this.waiting.delete(request);
    }
  }

  private async subscribe(): Promise<Redis> {
    const redis = await this.store.connection.another({ purpose: 'replies' });
    const channel = this.store.keys.replies(this.id);
    redis.on('message', (_channel: string, text: string) => this.take(text));
    // The library would do so as well, but catch no error: one of a connection that breaks just then would end the process.
    redis.on('ready', () => {
      redis.subscribe(channel).catch(() => {}); // it is made once more
    });
    try {
      await redis.subscribe(channel);
    } catch (thrown) {
      const error = this.store.connection.explain(thrown, redis);
      // It subscribes once the connection is back, and until then the record is polled.
      if (!(error instanceof BlockstoreError && error.code === 'RedisUnreachable')) throw error;
    }
    return redis;
  }

  /** A reply that this version cannot read is left to the polling. */
  private take(text: string): void {
    const { data: reply } = replySchema.safeParse(parseJson(text));
    const resolve = reply && this.waiting.get(reply.request);
    if (!resolve) return;
    const { record, result, fault } = reply;
    if (fault) resolve({ fault: fromFault(fault) });
    else resolve(record === undefined ? { result } : { record });
  }

  private async keepPolling(
    poll: () => Promise<RequestEnd | undefined>,
    endMs: number,
    pauses: Pauses,
  ): Promise<RequestEnd | undefined> {
    let pauseMs = firstPollMs;
    for (let seen: RequestEnd | undefined; ; ) {
      await pauses.pause(Math.max(0, Math.min(pauseMs, endMs - performance.now())));
      if (pauses.areOver) return undefined;
      // An unreachable Redis says nothing about the operation.
      const found = await poll().catch(() => undefined);
      if (performance.now() >= endMs) return found;
      // A reply that names the fault can be on its way: what is gone with the record looks like a loss.
      if (found && (!('fault' in found) || seen)) return found;
      seen = found;
      pauseMs = found ? firstPollMs : Math.min(pauseMs * 2, longestPollMs);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Pauses that end early once the request has ended. One object for each request, so it is kept light. */
class Pauses {
  areOver = false;
  private timer: NodeJS.Timeout | undefined;
  private wake: (() => void) | undefined;

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.timer = setTimeout(resolve, ms);
    });
  }

  end(): void {
    this.areOver = true;
    clearTimeout(this.timer);
    this.wake?.();
  }
}

/** A fault as the end of a request. */
export function failed(fault: Fault): RequestEnd {
  return { fault: fromFault(fault) };
}
