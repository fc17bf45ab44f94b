import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RedisClient } from '../../../lib/redis/client.ts';
import { RedisServer } from '../../support/redis-server.ts';

/** Returns a client, and in how many pieces its commands have arrived. */
async function counted(t: ExecutionContext): Promise<{ redis: RedisClient; pieces: () => number }> {
  const server = await RedisServer.start();
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-client-'));
  const path = join(directory, 'relay.sock');
  let count = 0;
  const relay = createServer((client) => {
    const behind = createConnection(server.socket);
    for (const socket of [client, behind]) socket.on('error', () => {}); // one test breaks the connection
    client.on('data', () => {
      count += 1;
    });
    client.pipe(behind).pipe(client);
  });
  relay.listen(path);
  await once(relay, 'listening');
  const redis = new RedisClient(path, { lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  redis.on('error', () => {});
  t.teardown(async () => {
    redis.disconnect();
    relay.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await redis.connect();
  return { redis, pieces: () => count };
}

test('commands that are sent together arrive together, and are answered in their order', async (t) => {
  const { redis, pieces } = await counted(t);
  const before = pieces();
  const counts = await Promise.all(Array.from({ length: 50 }, () => redis.incr('count')));
  t.deepEqual(
    counts,
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  t.is(pieces() - before, 1);
});

test('commands of a connection that breaks as they are sent fail, and later ones are carried out', async (t) => {
  const { redis } = await counted(t);
  const sent = [redis.incr('count'), redis.incr('count')];
  redis.stream.destroy();
  const again = once(redis, 'ready');
  for (const { status } of await Promise.allSettled(sent)) t.is(status, 'rejected');
  await again;
  t.is(await redis.incr('count'), 1);
});

test('commands that are sent before an end by the client are carried out', async (t) => {
  const { redis } = await counted(t);
  const [count] = await Promise.all([redis.incr('count'), redis.quit()]);
  t.is(count, 1);
});
