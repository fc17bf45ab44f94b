import type { Redis } from './connection.ts';

/** Fields of INFO by their names. */
export type RedisInfo = ReadonlyMap<string, string>;

export async function readInfo(redis: Redis): Promise<RedisInfo> {
  return parseInfo(await redis.info());
}

export function parseInfo(text: string): RedisInfo {
  const lines = text.split('\r\n').map((line) => line.split(':'));
  return new Map(lines.flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [[name, value]])));
}
