import test from 'ava';
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
