import { z } from 'zod';
import { type ClusterEvent, parseEvent } from '../models/event.ts';
import type { Redis } from '../redis/connection.ts';
import type { Store } from '../redis/store.ts';

const entriesSchema = z.array(z.tuple([z.string(), z.array(z.string())]));
const readingSchema = z.array(z.tuple([z.string(), entriesSchema])).nullable();
const pageSize = 1000;
const blockMs = 5000;

/** Returns the last events, at most so many, the oldest first, and the id after which later ones follow. */
export async function lastEvents(store: Store, count: number): Promise<{ events: ClusterEvent[]; last: string }> {
  const answer: unknown = await store.read((redis) => redis.xrevrange(store.keys.events(), '+', '-', 'COUNT', count));
  const entries = entriesSchema.parse(answer).toReversed();
  return { events: entries.flatMap(eventOf), last: entries.at(-1)?.[0] ?? '0' };
}

/** Yields events as they come, after the one with that id. `redis` is a connection for this alone: a read waits on it. */
export async function* followEvents(store: Store, redis: Redis, after: string): AsyncGenerator<ClusterEvent> {
  for (let last = after; ; ) {
    const answer: unknown = await redis.xread(
      'COUNT',
      pageSize,
      'BLOCK',
      blockMs,
      'STREAMS',
      store.keys.events(),
      last,
    );
    const entries = readingSchema.parse(answer)?.[0]?.[1] ?? [];
    last = entries.at(-1)?.[0] ?? last;
    yield* entries.flatMap(eventOf);
  }
}

function eventOf([id, fields]: readonly [string, readonly string[]]): ClusterEvent[] {
  const event = parseEvent(id, fields[1] ?? '');
  return event === undefined ? [] : [event];
}
