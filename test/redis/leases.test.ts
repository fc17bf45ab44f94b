import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { RedisWithSentinels } from './sentinels.ts';

test('no lease lapses while the replica is away and a hundred operations wait for it', async (t) => {
  t.timeout(180_000);
  const server = await RedisWithSentinels.start({ replicas: 1 });
  const cluster = await Cluster.over(server);
  t.teardown(() => cluster.close());
  const given = { redis_min_replicas: '1', node_down_time: '5', report_interval: '1' };
  const driver = new FakeDriver();
  await cluster.node('n1', given, { driver });
  const commands = await cluster.commands(given);
  const store = await cluster.store();
  const isUp = async () => (await store.redis.exists(store.keys.lease('n1'))) === 1;
  const replica = server.servers[1];
  await replica?.kill();
  const newVolume = { size: 1, userId: 'user', projectId: 'project' };
  const requests = Array.from({ length: 100 }, () => commands.create(newVolume, { deadlineMs: 120_000 }));
  const ends = Promise.allSettled(requests);
  const underWay = () => store.redis.zcard(store.keys.tasks('n1'));
  await until(async () => (await underWay()) === 100, 'all are recorded');
  const end = performance.now() + 15_000;
  while (performance.now() < end) {
    t.true(await isUp(), 'the lease holds');
    await pause(100);
  }
  await replica?.up();
  await ends;
  await until(async () => (await underWay()) === 0, 'all end once the replica is back', 60_000);
  const states = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  t.deepEqual([...new Set(states.map(({ status }) => status))], ['available']);
  t.is(states.length, 100);
  t.true(await isUp());
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});
