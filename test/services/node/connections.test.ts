import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** A connection to Redis that does not last, or does not return, is a problem of its node. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const problems = async () => (await lookupNode(store, 'n1')).problems.join('\n');

test.serial('a node whose connection for commands cannot be made again says so until it is back', async (t) => {
  await cluster.node('n1');
  const clients = String(await store.redis.client('LIST'));
  const [, id = ''] = /^id=(\d+) .* cmd=xread/m.exec(clients) ?? [];
  await store.redis.config('SET', 'maxclients', '1');
  await store.redis.call('CLIENT', 'KILL', 'ID', id);
  await until(async () => (await problems()) !== '', 'it is a problem');
  t.regex(await problems(), /^the connection to Redis for commands cannot be made again: Redis at /);
  await store.redis.config('SET', 'maxclients', '100');
  await until(async () => (await problems()) === '', 'it is over');
});

test.serial('a node whose connection to Redis breaks again and again says so, and why that may be', async (t) => {
  const nodeStore = await cluster.store();
  await cluster.node('n1', {}, {}, { store: nodeStore });
  const { connection } = nodeStore;
  for (let count = 0; count < 5; count += 1) {
    t.is(await problems(), '');
    const made = connection.count;
    const id = await connection.redis.client('ID');
    await store.redis.call('CLIENT', 'KILL', 'ID', String(id));
    await until(() => connection.count > made, 'it is made again');
  }
  await until(async () => (await problems()) !== '', 'it is a problem');
  t.regex(
    await problems(),
    /^the connection to Redis at \S+ broke 5 times within ten minutes; .*"timeout" .*redis\.conf.* proxy/,
  );
});

test.serial('a node that Redis answers BUSY says so once, and once when that is over', async (t) => {
  const lines: string[] = [];
  const log = {
    ...silentLog,
    error: (line: string, more: Record<string, unknown> = {}) => lines.push(`${line}; ${String(more['hint'])}`),
    info: (line: string) => lines.push(line),
  };
  await cluster.node('n1', {}, {}, { log, store: await cluster.store() });
  const { redis } = await cluster.store();
  await redis.config('SET', 'lua-time-limit', '50');
  lines.length = 0;
  const script = redis.eval('while true do end', 0).catch(() => undefined);
  await until(() => lines.length > 0, 'it is logged');
  t.regex(lines.join('\n'), /^the heartbeat failed: Redis at \S+ cannot be reached: BUSY .*; .*script kill/);
  await store.redis.call('SCRIPT', 'KILL');
  await script;
  await until(() => lines.length > 1, 'it is over');
  t.deepEqual(lines.slice(1), ['the heartbeat succeeds again']);
});
