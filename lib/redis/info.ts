import type { Redis } from './connection.ts';

/** Fields of INFO by their names. */
export type RedisInfo = ReadonlyMap<string, string>;

export async function readInfo(redis: Redis): Promise<RedisInfo> {
  const lines = (await redis.info()).split('\r\n').map((line) => line.split(':'));
  return new Map(lines.flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [[name, value]])));
}
