import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type BlockstoreError, type Fault, fromFault } from '../errors.ts';
import { type Hash, hashSchema } from '../models/basic-model.ts';
import { parseFault } from '../models/volume-state.ts';
import type { Redis } from '../redis/connection.ts';
import type { Store } from '../redis/store.ts';
import type { Asker } from './command.ts';

const answerSchema = z.object({
  request: z.string(),
  record: hashSchema.optional(),
  result: z.unknown().optional(),
  fault: z.looseObject({}).optional(),
});

const firstLookMs = 250;
const lookEveryMs = 4000;

/** How a call ended: the record after it (none when it was removed) or what a node was asked for, or a fault. */
export type Outcome = { record?: Hash; result?: unknown } | { fault: BlockstoreError };

/**
 * Waits for answers to commands. An answer is published by the script that ends the operation; should it be lost with a
 * connection, the record tells the same: `look` is asked now and then, and once more at the deadline.
 */
export class Caller {
  private readonly store: Store;
  private readonly id = randomUUID();
  private readonly waiting = new Map<string, (outcome: Outcome) => void>();
  private subscription: Promise<Redis> | undefined;
  private count = 0;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Sends a command and waits for its end. `look` says from the record how it ended, or undefined while it goes on.
   * Resolves with undefined when the deadline passes first. Throws what `send` throws.
   */
  async call(options: {
    send: (asker: Asker) => Promise<void>;
    look: () => Promise<Outcome | undefined>;
    deadlineMs: number;
  }): Promise<Outcome | undefined> {
    this.subscription ??= this.subscribe();
    try {
      await this.subscription;
    } catch (error) {
      this.subscription = undefined;
      throw error;
    }
    this.count += 1;
    const request = String(this.count);
    const answered = new Promise<Outcome>((resolve) => this.waiting.set(request, resolve));
    const looking = new Waiting();
    try {
      await options.send({ caller: this.id, request });
      return await Promise.race([answered, this.keepLooking(options, looking)]);
    } finally {
      looking.end();
      this.waiting.delete(request);
    }
  }

  private async subscribe(): Promise<Redis> {
    const redis = await this.store.connection.another();
    const channel = this.store.keys.answers(this.id);
    redis.on('message', (_channel: string, text: string) => this.take(text));
    // The library would do so as well, but catch no error: one of a connection that breaks just then would end the process.
    redis.on('ready', () => {
      redis.subscribe(channel).catch(() => {}); // it is made once more
    });
    await redis.subscribe(channel);
    return redis;
  }

  private take(text: string): void {
    const { data: answer } = answerSchema.safeParse(JSON.parse(text));
    const resolve = answer && this.waiting.get(answer.request);
    if (!resolve) return; // of another version perhaps: the record tells the same
    const { record, result, fault } = answer;
    if (fault) resolve({ fault: fromFault(parseFault(JSON.stringify(fault))) });
    else resolve(record === undefined ? { result } : { record });
  }

  private async keepLooking(
    options: { look: () => Promise<Outcome | undefined>; deadlineMs: number },
    waiting: Waiting,
  ): Promise<Outcome | undefined> {
    const { look, deadlineMs } = options;
    const end = performance.now() + deadlineMs;
    for (let pauseMs = firstLookMs; ; pauseMs = Math.min(pauseMs * 2, lookEveryMs)) {
      await waiting.pause(Math.max(0, Math.min(pauseMs, end - performance.now())));
      if (waiting.isOver) return undefined;
      // Redis being away says nothing about the operation: look again.
      const outcome = await look().catch(() => undefined);
      if (outcome || performance.now() >= end) return outcome;
    }
  }
}

/** Pauses that end early once there is nothing left to wait for. One for each call, so it is kept light. */
class Waiting {
  isOver = false;
  private timer: NodeJS.Timeout | undefined;
  private wake: (() => void) | undefined;

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.timer = setTimeout(resolve, ms);
    });
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    this.wake?.();
  }
}

/** A fault as an outcome. */
export function failed(fault: Fault): Outcome {
  return { fault: fromFault(fault) };
}
