import type { Redis } from 'ioredis';

/**
 * Whether two identities are of one process of a server. What identifies its data changes also under connections that last: when the first
 * replica since its start follows it.
 */
export function isSameProcess(one: string | undefined, other: string): boolean {
  const [run] = one?.split(' ') ?? [];
  return run !== undefined && other.startsWith(`${run} `);
}

/**
 * Returns what identifies the server's data: it is another one after a failover or a restart, with which changes may have been lost.
 * Undefined where INFO may not be asked.
 */
export async function serverIdentity(redis: Redis): Promise<string | undefined> {
  const [server, replication] = await Promise.all([redis.info('server'), redis.info('replication')]);
  const run = /^run_id:(\w+)/m.exec(server)?.[1];
  const data = /^master_replid:(\w+)/m.exec(replication)?.[1];
  return run === undefined || data === undefined ? undefined : `${run} ${data}`;
}
