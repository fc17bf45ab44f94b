import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { persistenceProblems } from '../../lib/redis/persistence.ts';
import type { Store } from '../../lib/redis/store.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { FakeProxy, type Fault } from './fake-proxy.ts';

/**
 * A fault at one script, of the client or of the node: the caller has success or one clear error, what was asked again has one
 * effect, and everything agrees without help.
 */

const faults: Record<string, Fault> = {
  'the connection breaks in the middle of the answer': 'cut',
  'READONLY, as after a failover': { error: "READONLY You can't write against a read only replica." },
  'LOADING, as after a restart': { error: 'LOADING Redis is loading the dataset in memory' },
  'OOM, as where memory is full': { error: "OOM command not allowed when used memory > 'maxmemory'." },
  'NOSCRIPT, as where scripts were flushed': { error: 'NOSCRIPT No matching script. Please use EVAL.' },
  'MOVED, as where a shard moved': { error: 'MOVED 1 127.0.0.1:1' },
};

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const deadline = { deadlineMs: 120_000 };
const clear = new Set(['RedisUnreachable', 'RedisRefuses']);
/** What is answered where the request had its effect before. */
const hadEffect = new Set(['VolumeAttached', 'VolumeNotAttached', 'VolumeNotFound']);

interface Place {
  cluster: Cluster;
  store: Store;
  proxy: FakeProxy;
  commands: VolumeCommands;
  driver: FakeDriver;
}

/** A node and a client, one of them by way of the proxy. */
async function setUp(t: ExecutionContext, side: 'client' | 'node', report_interval = '300'): Promise<Place> {
  const cluster = await Cluster.start();
  const proxy = await FakeProxy.start(join(cluster.directory, 'proxy.sock'), cluster.server.socket);
  t.teardown(async () => {
    await cluster.close();
    await proxy.stop();
  });
  const by = (which: string) => (which === side ? { redis_url: proxy.url } : {});
  const driver = new FakeDriver();
  // Its reports are scripts as well: none comes between.
  await cluster.node('n1', { ...by('node'), report_interval, node_down_time: '600' }, { driver });
  return { cluster, proxy, driver, store: await cluster.store(), commands: await cluster.commands(by('client')) };
}

/** As somebody does who gets an error: asks again until it is done. Returns the codes of the errors. */
async function insist(request: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = [];
  await until(async () => {
    try {
      await request();
    } catch (error) {
      if (!(error instanceof BlockstoreError)) throw error;
      codes.push(error.code);
      return codes.length > 1 && hadEffect.has(error.code);
    }
    return true;
  }, 'it is done');
  return codes;
}

for (const side of ['client', 'node'] as const) {
  for (const [name, fault] of Object.entries(faults)) {
    test(`${side}: ${name}`, async (t) => {
      const { proxy, driver, store, commands } = await setUp(t, side);
      const id = randomUUID();
      const life: [string, () => Promise<unknown>, (status: string | undefined) => boolean][] = [
        ['create', () => commands.create({ ...newVolume, id }, deadline), (status) => status === 'available detached'],
        ['attach', () => commands.attach(id, attachment, deadline), (status) => status === 'in-use attached'],
        ['detach', () => commands.detach(id, deadline), (status) => status === 'available detached'],
        ['delete', () => commands.delete(id, deadline), (status) => status === undefined],
      ];
      for (const [index, [operation, request, isDone]] of life.entries()) {
        proxy.arm(fault);
        const codes = await insist(request);
        t.is(proxy.count, index + 1, `${operation}: the fault struck`);
        if (side === 'node') t.deepEqual(codes, [], `${operation}: the caller does not notice`);
        t.true(
          codes.slice(0, 1).every((code) => clear.has(code)),
          `${operation}: ${codes.join(', ')}`,
        );
        await until(async () => {
          const state = await volumesOf(store).find(id);
          return isDone(state && `${state.status} ${state.attachStatus}`);
        }, `${operation} is done`);
        t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), [], operation);
      }
    });
  }

  test(`${side}: Redis is silent beyond the time limit`, async (t) => {
    const { proxy, driver, store, commands } = await setUp(t, side, '5'); // a report re-drives a task whose command was read and lost
    const [first, second, third, fourth] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    for (const id of [first, second, third]) await commands.create({ ...newVolume, id }, deadline);
    await commands.attach(third, attachment, deadline);
    proxy.arm('freeze');
    const codes = await Promise.all([
      insist(() => commands.create({ ...newVolume, id: fourth }, { deadlineMs: 120_000 })),
      insist(() => commands.attach(first, attachment, { deadlineMs: 120_000 })),
      insist(() => commands.delete(second, { deadlineMs: 120_000 })),
      insist(() => commands.detach(third, { deadlineMs: 120_000 })),
    ]);
    t.is(proxy.count, 1);
    const told = codes.flatMap(([code = 'done']) => code);
    t.deepEqual(
      told,
      Array.from(told, () => (side === 'node' ? 'done' : 'RedisUnreachable')),
    );
    const agree = async () => disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]);
    await until(async () => (await agree()).length === 0, 'everything agrees');
    t.is(await volumesOf(store).count(store.keys.volumes()), 3);
  });
}

test('a subscription that breaks while it is re-established is retried', async (t) => {
  const { proxy, store, commands } = await setUp(t, 'client');
  const { id } = await commands.create(newVolume, deadline);
  const [channel = ''] = await store.redis.pubsub('CHANNELS').then((channels) => channels.map(String));
  const subscribers = async () => (await store.redis.pubsub('NUMSUB', channel))[1];
  t.is(await subscribers(), 1);
  proxy.arm('cut', 'subscribe');
  await store.redis.client('KILL', 'TYPE', 'PUBSUB');
  await until(async () => proxy.count === 1 && (await subscribers()) === 1, 'answers are heard again');
  await commands.delete(id, deadline);
});

test('a full Redis refuses what needs memory; operations under way end, and what frees some goes on', async (t) => {
  const { cluster, store, driver, commands } = await setUp(t, 'node', '1');
  const gate = Promise.withResolvers<void>();
  const create = driver.createVolume.bind(driver);
  driver.createVolume = async (spec) => {
    await gate.promise;
    return create(spec);
  };
  const begun = commands.create(newVolume, deadline);
  await until(async () => (await store.redis.keys('*:tasks')).length > 0, 'a node is at it');
  await store.redis.config('SET', 'maxmemory', '1');
  const refused = { code: 'RedisRefuses', message: /refuses writes: OOM/ };
  await t.throwsAsync(commands.create(newVolume, deadline), refused);
  gate.resolve();
  const { id } = await begun;
  t.is((await volumesOf(store).lookup(id)).status, 'available');
  await t.throwsAsync(commands.attach(id, attachment, deadline), refused);
  const reportTime = async () => Number(await store.redis.hget(store.keys.node('n1'), 'reportTime'));
  const before = await reportTime();
  await until(async () => (await reportTime()) > before, 'the node reports, and keeps its lease');
  await commands.delete(id, deadline);
  const problems = (await persistenceProblems(store)).map(({ message }) => message);
  t.regex(problems.join('\n'), /no memory left: .* only deletes and detaches are accepted/);
  await store.redis.config('SET', 'maxmemory', '0');
  const attached = await commands.create(newVolume, deadline);
  await commands.attach(attached.id, attachment, deadline);
  await store.redis.config('SET', 'maxmemory', '1');
  await commands.detach(attached.id, deadline);
  await (await cluster.nodeCommands()).audit('n1', { repair: false, remove: [] }, deadline);
  await store.redis.config('SET', 'maxmemory', '0');
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});
