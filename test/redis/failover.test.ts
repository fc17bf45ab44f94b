import { randomUUID } from 'node:crypto';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { clusterCommands } from '../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../support/faulty-driver.ts';
import { silentLog } from '../../lib/log.ts';
import { groupSnapshotsOf } from '../../lib/models/group-snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { Load } from './load.ts';
import type { RedisProcess } from './process.ts';
import { RedisCluster } from './redis-cluster.ts';
import { RedisWithSentinels } from './sentinels.ts';

/**
 * The primary of Redis is lost while clients work: what was acknowledged with redis_min_replicas = 1 is there afterwards, what was
 * under way ends without help, and everything agrees. So it is with one Redis that is started again with everything that it wrote.
 */

interface Group {
  flags: Record<string, string>;
  stop(): Promise<void>;
}

/** For what may be lost, only what agrees afterwards counts. */
interface Expected {
  redis_min_replicas: string;
  mayLose?: boolean;
}

async function survives<Redis extends Group>(
  t: ExecutionContext,
  server: Redis,
  lose: (server: Redis) => Promise<() => Promise<unknown>>,
  { redis_min_replicas, mayLose = false }: Expected = { redis_min_replicas: '1' },
): Promise<void> {
  const cluster = await Cluster.over(server);
  t.teardown(() => cluster.close());
  const given = { redis_min_replicas };
  const drivers = { n1: new FakeDriver(), n2: new FakeDriver() };
  for (const [name, driver] of Object.entries(drivers)) await cluster.node(name, given, { driver });
  const store = await cluster.store();
  const load = new Load(await cluster.commands(given), { mayLose });
  t.teardown(() => load.stop());
  await until(() => load.count > 50, 'clients are served');
  const bringBack = await lose(server);
  const before = load.count;
  await bringBack(); // or no change is acknowledged: there would be no replica
  await until(() => load.count > before + 50, 'clients are served again');
  await load.stop();
  const storages = () =>
    Promise.all(Object.entries(drivers).map(async ([node, driver]) => ({ node, volumes: await driver.listVolumes() })));
  const lost = await load.lost(store);
  if (!mayLose) t.deepEqual(lost, []);
  await until(async () => (await disagreements(store, await storages())).length === 0, 'everything agrees').catch(
    async () => t.deepEqual(await disagreements(store, await storages()), []),
  );
  t.pass('everything agrees');
  t.log(`${load.count} requests acknowledged, ${load.errors.length} errors`);
}

function back(lost: RedisProcess): () => Promise<void> {
  return () => lost.up();
}

test.serial('Sentinels: no acknowledged change is lost when the primary is killed', async (t) => {
  t.timeout(600_000);
  await survives(t, await RedisWithSentinels.start({ replicas: 1 }), async (group) => {
    const primary = await group.primary();
    await primary.kill();
    await group.failedOver(primary);
    return back(primary);
  });
});

test.serial('Sentinels: no acknowledged change is lost when the primary hangs and returns as a replica', async (t) => {
  t.timeout(600_000);
  await survives(t, await RedisWithSentinels.start({ replicas: 1 }), async (group) => {
    const primary = await group.primary();
    primary.signal('SIGSTOP');
    await group.failedOver(primary);
    return async () => primary.signal('SIGCONT');
  });
});

test.serial('Cluster: no acknowledged change is lost when the primary of the shard is killed', async (t) => {
  t.timeout(600_000);
  await survives(t, await RedisCluster.start(), async (group) => {
    const primary = await group.owner('blockstore');
    await primary.kill();
    await group.failedOver(primary, 'blockstore');
    return back(primary);
  });
});

const alone = { redis_min_replicas: '0' };

test.serial(
  'one Redis: no acknowledged change is lost when it is killed and restarted with its append-only file',
  async (t) => {
    t.timeout(600_000);
    const lose = async (server: RedisServer) => {
      await server.down('SIGKILL');
      return () => server.up();
    };
    await survives(t, await RedisServer.start('--appendfsync', 'always'), lose, alone);
  },
);

test.serial('one Redis: clients continue after it reloads its data and loses its scripts', async (t) => {
  t.timeout(600_000);
  const lose = async (server: RedisServer) => async () => {
    for (const command of ['DEBUG RELOAD', 'SCRIPT FLUSH']) {
      await execa('redis-cli', ['-s', server.socket, ...command.split(' ')]);
    }
  };
  await survives(t, await RedisServer.start('--enable-debug-command', 'local'), lose, alone);
});

test.serial('one Redis: records and storage agree after a restart from an older copy', async (t) => {
  t.timeout(600_000);
  const lose = async (server: RedisServer) => {
    const [files, copy] = [join(server.directory, 'appendonlydir'), join(server.directory, 'copy')];
    await cp(files, copy, { recursive: true });
    await execa('redis-cli', ['-s', server.socket, 'CLIENT', 'PAUSE', '1500', 'ALL']); // clients were at work meanwhile
    await server.down('SIGKILL');
    await rm(files, { recursive: true });
    await rename(copy, files);
    return () => server.up();
  };
  await survives(t, await RedisServer.start(), lose, { ...alone, mayLose: true });
});

test.serial(
  'without a replica a change is made but not acknowledged; repeating the request has one effect',
  async (t) => {
    t.timeout(600_000);
    const server = await RedisWithSentinels.start({ replicas: 1 });
    const cluster = await Cluster.over(server);
    t.teardown(() => cluster.close());
    const given = { redis_min_replicas: '1', node_down_time: '60' };
    const driver = new FakeDriver();
    await cluster.node('n1', given, { driver });
    const commands = await cluster.commands(given);
    const store = await cluster.store();
    const replica = server.servers[1];
    await replica?.kill();
    const newVolume = { id: randomUUID(), size: 1, userId: 'user', projectId: 'project' };
    const told = { code: 'NotReplicated', message: /the change was made, but only 0 of 1 replicas/ };
    await t.throwsAsync(commands.create(newVolume, { deadlineMs: 120_000 }), told);
    t.is((await volumesOf(store).lookup(newVolume.id)).status, 'creating', 'its node waits with it');
    await replica?.up();
    t.is((await commands.create(newVolume, { deadlineMs: 120_000 })).status, 'available');
    t.is(await volumesOf(store).count(store.keys.volumes()), 1);
    t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
  },
);

test.serial('operations that wait for a replica continue where the connection was lost meanwhile', async (t) => {
  t.timeout(600_000);
  const server = await RedisWithSentinels.start({ replicas: 1 });
  const cluster = await Cluster.over(server);
  t.teardown(() => cluster.close());
  const given = { redis_min_replicas: '1', node_down_time: '60' };
  const waiting: string[] = [];
  const driver = new FakeDriver();
  const log = { ...silentLog, debug: (line: string) => waiting.push(line) };
  await cluster.node('n1', given, { driver }, { log });
  const store = await cluster.store(cluster.flags(given));
  const { commands, groups, groupSnapshots } = clusterCommands(store, {
    client: new RequestClient(store),
    topic: 'volume',
  });
  const owner = { userId: 'user', projectId: 'project' };
  const deadline = { deadlineMs: 120_000 };
  const volumes = await Promise.all([1, 2, 3].map(() => commands.create({ size: 1, ...owner }, deadline)));
  const [single = '', ...members] = volumes.map(({ id }) => id);
  const group = await groups.create(owner);
  await groups.update(group.id, { add: members });
  const replica = server.servers[1];
  await replica?.kill();
  const id = randomUUID();
  const told = { code: 'NotReplicated' };
  await Promise.all([
    t.throwsAsync(commands.update(single, { name: 'renamed' }, deadline), told),
    t.throwsAsync(groupSnapshots.create(group.id, { ...owner, id }, deadline), told),
  ]);
  const waits = (volume: string) => waiting.includes(`step reading of ${volume} is retried`);
  await until(() => waits(single) && members.some(waits), 'both operations wait');
  await store.redis.client('KILL', 'TYPE', 'NORMAL');
  await replica?.up();
  await until(async () => (await store.redis.zcard(store.keys.tasks('n1'))) === 0, 'both operations end');
  t.is((await groupSnapshotsOf(store).lookup(id)).status, 'available');
  t.is((await driver.listVolumes()).find((one) => one.id === single)?.labels['name'], 'renamed');
});

test.serial('an operation is not reported as done before the replicas have its end', async (t) => {
  t.timeout(600_000);
  const server = await RedisWithSentinels.start({ replicas: 1 });
  const cluster = await Cluster.over(server);
  t.teardown(() => cluster.close());
  const driver = new FaultyDriver(new FakeDriver());
  const node = await cluster.node('n1', { redis_min_replicas: '0' }, { driver });
  const commands = await cluster.commands({ redis_min_replicas: '1' });
  const id = randomUUID();
  const release = driver.holdOnce('createVolume');
  const creating = commands.create({ id, size: 1, userId: 'user', projectId: 'project' }, { deadlineMs: 120_000 });
  await until(() => driver.isHeld('createVolume'), 'the creation is under way');
  server.servers[1]?.signal('SIGSTOP');
  release();
  await t.throwsAsync(creating, { code: 'NotReplicated' });
  t.is((await node.getVolume(id)).status, 'available');
});

test.serial('without memory, deletions and detachments still wait for the replicas, and succeed', async (t) => {
  t.timeout(600_000);
  const server = await RedisWithSentinels.start({ replicas: 1 });
  const cluster = await Cluster.over(server);
  t.teardown(() => cluster.close());
  const given = { redis_min_replicas: '1' };
  await cluster.node('n1', given);
  const commands = await cluster.commands(given);
  const { redis } = await cluster.store();
  const deadline = { deadlineMs: 120_000 };
  const newVolume = { size: 1, userId: 'user', projectId: 'project' };
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await redis.config('SET', 'maxmemory', '1');
  t.teardown(() => redis.config('SET', 'maxmemory', '0'));
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'RedisRefuses' });
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.is(await redis.exists((await cluster.store()).keys.volume(id)), 0);
});
