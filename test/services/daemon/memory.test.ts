import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Blockstored } from '../../support/blockstored.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

const mebibyte = 2 ** 20;

test('an idle daemon returns the memory that its start has taken', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-memory-'));
  const server = await RedisServer.start();
  const port = await freePort();
  const daemon = await Blockstored.start({
    storage_name: 'n1',
    fake_storage: 'true',
    state_dir: join(directory, 'state'),
    redis_url: server.url,
    metrics_listen: `127.0.0.1:${port}`,
  });
  t.teardown(async () => {
    await daemon.kill();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const youngBytes = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^nodejs_heap_space_size_total_bytes\{space="new"\} (\S+)$/m.exec(text)?.[1]);
  };
  await t.notThrowsAsync(
    until(async () => (await youngBytes()) <= 2 * mebibyte, 'the young generation is small', 300_000),
  );
});
