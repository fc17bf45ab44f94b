import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';

/** Health and metrics of a daemon as a process. */

let server: RedisServer;
let directory: string;
test.before(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-monitoring-'));
});
test.after.always(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const flags = (name: string, metrics_listen: string) => ({
  storage_name: name,
  fake_storage: 'true',
  state_dir: join(directory, name),
  redis_url: server.url,
  log_format: 'human',
  metrics_listen,
});

test('a daemon without an API serves health and metrics; an address that is taken prevents the start', async (t) => {
  const first = await Blockstored.start(flags('n1', '127.0.0.1:0,[::1]:0'));
  t.teardown(() => first.kill());
  const urls = Array.from(first.log.matchAll(/health and metrics are served at (\S+)/g), ([, url = '']) => url);
  t.is(urls.length, 2);
  for (const url of urls) {
    t.is((await fetch(`${url}/healthcheck`)).status, 200);
    t.regex(await (await fetch(`${url}/metrics`)).text(), /^blockstore_ready 1$/m);
  }
  const taken = (urls[0] ?? '').replace('http://', '');
  const second = await Blockstored.run(flags('n2', taken));
  t.is(second.exitCode, 1, second.log);
  t.regex(second.log, /health and metrics cannot be served at 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  t.regex(second.log, /set metrics_listen to an address of this machine and a free port/);
  t.is(await first.stop(), 0, first.log);
});
