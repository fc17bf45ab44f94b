import type { Redis } from 'ioredis';

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
