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

export interface EventQuery {
  /** Events that are returned at most. */
  count: number;
  /** Only those after the one with this id. */
  after?: string;
  /** Only those of this volume. */
  volume?: string;
  matches: (event: ClusterEvent) => boolean;
}

/**
 * Returns the newest events that a query is about, the newest first, and the id after which later ones follow. They are read a page at a
 * time until there are enough: at most all that are kept.
 */
export async function newestEvents(
  store: Store,
  { count, after, volume, matches }: EventQuery,
): Promise<{ events: ClusterEvent[]; last: string }> {
  const events: ClusterEvent[] = [];
  const start = after === undefined ? '-' : `(${after}`;
  let last: string | undefined;
  let size = volume === undefined ? Math.max(1, Math.min(count, pageSize)) : pageSize;
  for (let end = '+'; ; size = pageSize) {
    const [to, most] = [end, size];
    const answer: unknown = await store.read((redis) => redis.xrevrange(store.keys.events(), to, start, 'COUNT', most));
    const entries = entriesSchema.parse(answer);
    last ??= entries[0]?.[0] ?? after ?? '0-0';
    for (const entry of entries) {
      // Parsing is what takes the time.
      if (volume !== undefined && entry[1][1]?.includes(volume) !== true) continue;
      for (const event of eventOf(entry)) {
        if (matches(event) && (volume === undefined || event.volume === volume)) events.push(event);
      }
    }
    const oldest = entries.at(-1)?.[0];
    if (events.length >= count || entries.length < size || oldest === undefined) break;
    end = `(${oldest}`;
  }
  return { events: events.slice(0, count), last };
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
