import type { Store } from './store.ts';

/** Returns the time of the Redis server, in milliseconds since the epoch. */
export async function redisTime(store: Store): Promise<number> {
  const [seconds = 0, micros = 0] = await store.read(async (redis) => (await redis.time()).map(Number));
  return seconds * 1000 + Math.floor(micros / 1000);
}
