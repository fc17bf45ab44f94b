import { networkInterfaces } from 'node:os';
import type { Redis } from '../redis/connection.ts';

/**
 * Returns the address by which other nodes most likely reach this one: that of its connection to Redis, which all nodes reach. Where Redis
 * is on this host, its first other address.
 */
export function migrationAddress(redis: Redis): string {
  const { stream } = redis;
  const address = 'localAddress' in stream ? stream.localAddress : undefined;
  if (address !== undefined && !isLoopback(address)) return address.replace(/^::ffff:/, '');
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outward = all.find(({ internal, family }) => !internal && family === 'IPv4');
  return outward?.address ?? '127.0.0.1';
}

function isLoopback(address: string): boolean {
  return /^(::1|(::ffff:)?127\.)/.test(address);
}
