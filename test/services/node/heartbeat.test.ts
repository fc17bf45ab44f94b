import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { backendsOf } from '../../../lib/models/backend.ts';
import type { NodeReport } from '../../../lib/models/node.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Heartbeat, backendReport } from '../../../services/node/heartbeat.ts';
import { NodeLease } from '../../../services/node/lease.ts';
import { Cluster } from '../../support/cluster.ts';

/** What a node sends with each report. */

let cluster: Cluster;
let store: Store;
/** Scripts that were run since it was emptied. */
let sent: string[];
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  const run = store.run.bind(store);
  sent = [];
  store.run = (name, ...args) => {
    sent.push(name);
    return run(name, ...args);
  };
});
test.afterEach.always(() => cluster.close());

const node: NodeReport = { availabilityZone: 'nova', version: '1', startTime: 1, quarantineMs: 1, problems: [] };
const about = {
  name: 'fake',
  driver: 'fake',
  target: 'none',
  pool: 'fake',
  capabilities: [],
  shared: '',
  endpoint: '',
  availabilityZone: 'nova',
};
const stats = { totalBytes: 9, freeBytes: 9, volumeBytes: 0, acceptsCreates: true };
const backend = backendReport(about, stats, { isReady: true, problem: undefined });

async function heartbeat() {
  const lease = await NodeLease.acquire(store, { node: 'n1', holder: 'one', leaseMs: 60_000 });
  sent = [];
  const beating = new Heartbeat({ store, lease, overdueMs: 60_000 });
  return { lease, beat: (report = node, backends = [backend]) => beating.beat(report, backends) };
}

test.serial('a pool that is thin no more, or whose usage is unknown, has no usage', async (t) => {
  const { beat } = await heartbeat();
  const usage = { dataPercent: 84, metadataPercent: 7 };
  const read = () => backendsOf(store).lookup('n1@fake');
  await beat(node, [backendReport(about, { ...stats, usage }, { isReady: true, problem: undefined })]);
  t.like(await read(), usage);
  await beat();
  t.like(await read(), { dataPercent: null, metadataPercent: null });
});

test.serial('a report without news is a repetition, every second one is whole', async (t) => {
  const { beat } = await heartbeat();
  for (let count = 0; count < 4; count += 1) await beat();
  t.deepEqual(sent, ['report', 'repeat_report', 'report', 'repeat_report']);
  await store.redis.pexpire(store.keys.lease('n1'), 1000);
  const time = () => store.redis.hget(store.keys.node('n1'), 'reportTime');
  const before = await time();
  await beat();
  await beat();
  t.not(await time(), before);
  t.true((await store.redis.pttl(store.keys.lease('n1'))) > 50_000, 'a repetition renews the lease');
});

test.serial('news are reported whole', async (t) => {
  const { beat } = await heartbeat();
  await beat();
  await beat({ ...node, problems: ['a disk is absent'] });
  await beat(node, [{ ...backend, freeBytes: 5, capacityBytes: 5 }]);
  t.deepEqual(sent, ['report', 'report', 'report']);
  t.is((await backendsOf(store).lookup('n1@fake')).freeBytes, 5);
});

test.serial('what somebody has altered is put right by the second report', async (t) => {
  const { beat } = await heartbeat();
  const key = store.keys.backend('n1@fake');
  for (const alter of [
    () => store.redis.hset(key, 'capacityBytes', '1'),
    () => store.redis.del(key),
    () => store.redis.del(store.keys.freeSpace()),
    () => store.redis.hset(store.keys.node('n1'), { lost: '1', stopTime: '1' }),
    () => store.redis.del(store.keys.lease('n1')),
  ]) {
    for (const reports of [1, 2]) {
      for (let count = 0; count < reports; count += 1) await beat();
      await alter();
      await beat();
      await beat();
      t.is((await backendsOf(store).lookup('n1@fake')).capacityBytes, 9);
      t.is(await store.redis.zscore(store.keys.freeSpace(), 'n1@fake'), '9');
      t.is(await store.redis.exists(store.keys.lease('n1')), 1);
      t.deepEqual(await store.redis.hmget(store.keys.node('n1'), 'lost', 'stopTime'), [null, null]);
    }
  }
});

test.serial('an older state of the node is noticed by the next report, another holder ends it', async (t) => {
  const { beat } = await heartbeat();
  await beat();
  const key = store.keys.node('n1');
  const copy = await store.redis.dumpBuffer(key);
  await pause(2); // reports have a time in milliseconds
  await beat({ ...node, version: '2' });
  await store.redis.restore(key, 0, copy, 'REPLACE');
  sent = [];
  await beat({ ...node, version: '2' });
  t.deepEqual(sent, ['repeat_report', 'report']);
  t.is(await store.redis.hget(key, 'version'), '2');
  await store.redis.hset(key, 'token', 'another');
  await t.throwsAsync(beat({ ...node, version: '2' }), { code: 'Fenced' });
});
