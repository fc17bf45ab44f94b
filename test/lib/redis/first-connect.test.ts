import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { loadingHint } from '../../../lib/redis-errors.ts';

test('a Redis that loads its data is not waited for', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-connection-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const socket = join(directory, 'fake');
  const info = 'loading:1\r\nloading_loaded_perc:3.94\r\nloading_eta_seconds:48\r\n';
  const server = createServer((client) => {
    client.on('error', () => {});
    client.on('data', (chunk) => {
      for (const [, name = ''] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        const answer = name.toLowerCase() === 'info' ? `$${info.length}\r\n${info}\r\n` : '%1\r\n$5\r\nproto\r\n:3\r\n';
        client.write(answer);
      }
    });
  }).listen(socket);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { flags } = loadFlags({ embedded: { redis_url: `unix:${socket}` } });
  const error = await t.throwsAsync(connect(flags, silentLog));
  t.like(error, { code: 'RedisUnreachable', hint: loadingHint });
  t.regex(error.message, /it is loading its data \(3\.94 %\)/);
});

test('a Redis in protected mode says so, in place of the end of the connection', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-connection-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const socket = join(directory, 'fake');
  const words =
    'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default ' +
    'user. In this mode connections are only accepted from the loopback interface.';
  const server = createServer((client) => {
    client.on('error', () => {});
    client.end(`-${words}\r\n`);
  }).listen(socket);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { flags } = loadFlags({ embedded: { redis_url: `unix:${socket}` } });
  const error = await t.throwsAsync(connect(flags, silentLog), { code: 'RedisDenied', message: /protected mode/ });
  t.regex(String(Reflect.get(error, 'hint')), /requirepass/);
});
