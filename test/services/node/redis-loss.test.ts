import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import type { DriverStats } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { NodeLease } from '../../../services/node/lease.ts';
import { disagreements } from '../../support/agreement.ts';
import { instancesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis loses something under running daemons: they continue by themselves, as long as nobody else has their name. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

test.serial('an emptied Redis has its records again without a restart', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await store.redis.flushall();
  await until(async () => (await node.getVolume(id)).status === 'available', 'the volume has a record again');
  t.is((await node.getVolume(id)).address, 'e1.0');
  const other = await until(() => commands.create(newVolume, deadline), 'the node accepts volumes again');
  t.is(other.address, 'e1.1', 'no address is given out twice');
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test.serial('a topic that went missing is made again', async (t) => {
  await cluster.node('n1');
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  await redis.del(keys.topic('volume.n1'));
  const { id } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  t.pass();
});

test.serial(
  'a Redis from an older copy: volumes created since have records again, deleted ones are reported as missing',
  async (t) => {
    const driver = new FakeDriver();
    const target = new FakeTarget();
    const node = await cluster.node('n1', {}, { driver, target });
    const commands = await cluster.commands();
    const store = await cluster.store();
    const kept = await commands.create(newVolume, deadline);
    const deleted = await commands.create(newVolume, deadline);
    const restore = await cluster.server.keepCopy();
    const made = await until(() => commands.create(newVolume, deadline), 'a volume is made after the copy');
    await commands.delete(deleted.id, deadline);
    await commands.attach(kept.id, attachment, deadline);
    await restore();
    await until(async () => (await node.getVolume(made.id)).status === 'available', 'it has a record again');
    t.is((await node.getVolume(made.id)).address, made.address);
    await until(async () => (await node.getVolume(deleted.id)).status === 'error', 'it has no storage');
    t.is((await node.getVolume(deleted.id)).fault?.code, 'StorageMissing');
    await until(async () => (await node.getVolume(kept.id)).status === 'in-use', 'its export runs');
    t.deepEqual(await instancesOf(store, kept.id), ['unknown']);
    await until(() => commands.create(newVolume, deadline), 'the node accepts volumes again');
    const exports = [...target.exports.values()];
    const agreement = async () => disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes(), exports }]);
    await until(async () => (await agreement()).length === 0, 'all agrees');
  },
);

test.serial('a Redis that has lost an attachment and a new name of one volume has both again', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const node = await cluster.node('n1', {}, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create({ ...newVolume, name: 'before' }, deadline);
  const restore = await cluster.server.keepCopy();
  await until(() => commands.update(id, { name: 'after' }, deadline), 'it is renamed after the copy');
  await commands.attach(id, attachment, deadline);
  await restore();
  const isBack = async () => (await node.getVolume(id)).attachStatus === 'attached';
  await until(isBack, 'it is attached as its export runs');
  t.deepEqual(await instancesOf(store, id), ['unknown']);
  const agreement = async () =>
    disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes(), exports: [...target.exports.values()] }]);
  await until(async () => (await agreement()).length === 0, 'all agrees');
});

/** A listing fails: the one at which `left` becomes 0. */
class FailingDriver extends FakeDriver {
  left = -1;

  override async listVolumes() {
    this.left -= 1;
    if (this.left === 0) throw errors.lvmFailed('lvs', 'the test fails it');
    return super.listVolumes();
  }
}

test.serial('a difference that cannot be repaired at once is repaired with a later report', async (t) => {
  const driver = new FailingDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const { id } = await until(() => commands.create(newVolume, deadline), 'a volume is made after the copy');
  driver.left = 2; // a comparison lists storage twice
  await restore();
  await until(async () => (await node.getVolume(id)).status === 'available', 'it has a record again');
  t.true(driver.left < 0);
});

test.serial('a snapshot whose task fails before its first step says so', async (t) => {
  const driver = new FailingDriver();
  const node = await cluster.node('n1', {}, { driver });
  const { commands, snapshots } = clusterCommands(await cluster.store(), {
    client: new RequestClient(await cluster.store()),
    topic: 'volume',
  });
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  const owner = { userId: 'user', projectId: 'project' };
  await t.throwsAsync(snapshots.create(id, owner, { deadlineMs: 200 }));
  driver.left = 2; // the start lists storage once
  const flags = { report_interval: '600', node_down_time: '3600', num_shell_tries: '1' };
  await cluster.node('n1', flags, { driver });
  const store = await cluster.store();
  const [snapshot = ''] = await store.redis.zrange(store.keys.volumeSnapshots(id), '0', '-1');
  const statusOf = async () => (await snapshotsOf(store).lookup(snapshot)).status;
  await until(async () => (await statusOf()) !== 'creating', 'the snapshot has a status that lasts');
  t.is(await statusOf(), 'error');
});

test.serial('a Redis from a copy older than the daemon’s start gives it its name back', async (t) => {
  const driver = new FakeDriver();
  const before = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const restore = await cluster.server.keepCopy();
  await until(() => before.reportState().then(() => true), 'it is connected again');
  await before.stop();
  const node = await cluster.node('n1', {}, { driver });
  await restore();
  await until(() => commands.delete(id, deadline).then(() => true), 'its volume can be deleted');
  await node.reportState();
  t.deepEqual(await driver.listVolumes(), []);
});

test.serial('a fencing token is never given out twice, also where Redis went back in time', async (t) => {
  const store = await cluster.store();
  const lease = { node: 'n1', holder: 'one', leaseMs: 60_000 };
  await NodeLease.acquire(store, lease);
  const key = store.keys.node('n1');
  const copy = await store.redis.dumpBuffer(key);
  const second = await NodeLease.acquire(store, lease);
  const change = (owner: NodeLease) => commit(store, { owner: owner.token, edits: [] });
  await store.redis.restore(key, 0, copy, 'REPLACE');
  const third = await NodeLease.acquire(store, lease);
  t.not(third.token.token, second.token.token);
  t.like(await change(second), { word: 'Fenced' });
  await t.throwsAsync(second.reacquire(), { code: 'Fenced' }, 'another daemon came after it');
  t.like(await change(third), { word: 'ok' });
});

test.serial('a lease that Redis lost is acquired again, also where the answer to that was lost', async (t) => {
  const store = await cluster.store();
  const lease = await NodeLease.acquire(store, { node: 'n1', holder: 'one', leaseMs: 60_000 });
  const change = () => commit(store, { owner: lease.token, edits: [] });
  await pause(2); // a token has the time in it, in milliseconds
  await store.redis.del(store.keys.node('n1'));
  t.like(await change(), { word: 'Fenced' });
  const run = store.run.bind(store);
  store.run = async (...args) => {
    await run(...args);
    store.run = run;
    throw new Error('the answer is lost');
  };
  await t.throwsAsync(lease.reacquire(), { message: 'the answer is lost' });
  t.like(await change(), { word: 'Fenced' });
  await lease.reacquire();
  t.like(await change(), { word: 'ok' });
});

test.serial('a daemon whose name another one acquired in an emptied Redis ends', async (t) => {
  const ended = Promise.withResolvers<string>();
  const onFenced = ({ code }: { code: string }) => ended.resolve(code);
  await cluster.node('n1', {}, {}, { onFenced });
  const store = await cluster.store();
  await store.redis
    .multi()
    .flushall()
    .hset(store.keys.node('n1'), 'token', `${Date.now()}-another`)
    .set(store.keys.lease('n1'), 'another', 'PX', 60_000)
    .exec();
  t.is(await ended.promise, 'Fenced');
  t.is(await store.redis.get(store.keys.lease('n1')), 'another');
});

test.serial('what a node reported, and Redis lost, is reported again', async (t) => {
  let accepts = false;
  class FullDriver extends FakeDriver {
    override async stats(): Promise<DriverStats> {
      return { ...(await super.stats()), acceptsCreates: accepts };
    }
  }
  await cluster.node('n1', {}, { driver: new FullDriver() });
  const store = await cluster.store();
  const accepting = async () => (await backendsOf(store).lookup('n1@fake')).accepting;
  t.false(await accepting());
  const restore = await cluster.server.keepCopy();
  accepts = true;
  await until(accepting, 'it accepts volumes');
  await restore();
  await until(accepting, 'and says so again');
  const commands = await cluster.commands();
  t.is((await until(() => commands.create(newVolume, deadline), 'a volume is created')).backend, 'fake');
});

test.serial(
  'a create that FLUSHALL forgets is ChangeLost, and the node logs one line for all its volumes',
  async (t) => {
    const driver = new FaultyDriver(new FakeDriver());
    const lines: string[] = [];
    const note = (line: string) => void lines.push(line);
    const log = { ...silentLog, error: note, warn: note };
    const node = await cluster.node('n1', {}, { driver, target: new FakeTarget() }, { log });
    const commands = await cluster.commands();
    const store = await cluster.store();
    const made: { id: string }[] = [];
    for (let count = 0; count < 5; count += 1) made.push(await commands.create(newVolume, deadline));
    const release = driver.holdOnce('createVolume');
    const lost = t.throwsAsync(commands.create(newVolume, { deadlineMs: 120_000 }), { code: 'ChangeLost' });
    await until(async () => (await store.redis.zcard(store.keys.tasks('n1'))) === 1, 'a sixth is being created');
    await store.redis.flushall();
    await lost;
    release();
    for (const { id } of made) await until(async () => (await node.getVolume(id)).status === 'available', 'it is back');
    await until(() => lines.some((line) => line.startsWith('repaired what')), 'the repair is logged');
    const ofVolumes = lines.filter((line) => made.some(({ id }) => line.includes(id)));
    t.deepEqual(ofVolumes, [], 'no line for each volume');
  },
);

test.serial('older values of a node restored under a live connection are replaced by its next report', async (t) => {
  await cluster.node('n1');
  const { redis, keys } = await cluster.store();
  const keysOfNode = [keys.node('n1'), keys.backend('n1@fake')];
  const older = await Promise.all(keysOfNode.map((key) => redis.hgetall(key)));
  for (const key of keysOfNode) await redis.hset(key, { availabilityZone: 'older', version: '0', capacityBytes: '1' });
  const values = () => Promise.all(keysOfNode.map((key) => redis.hmget(key, 'availabilityZone', 'capacityBytes')));
  await until(async () => {
    const [node, backend] = await values();
    return node?.[0] === older[0]?.['availabilityZone'] && backend?.[1] === older[1]?.['capacityBytes'];
  }, 'the report has written them again');
  await redis.del(keys.nodes(), keys.nodeBackends('n1'), keys.freeSpace());
  await until(async () => (await redis.zcard(keys.nodes())) === 1, 'the node is listed again');
  await until(async () => (await redis.zcard(keys.freeSpace())) === 1, 'its backend takes volumes again');
  t.deepEqual(await redis.zrange(keys.nodes(), '0', '-1'), ['n1']);
});

test.serial('a lease that an evicting Redis has lost is logged with that cause, and the daemon goes on', async (t) => {
  const hints: string[] = [];
  const warn = (line: string, more: { hint?: unknown } = {}) => void hints.push(`${line} (${String(more.hint)})`);
  const node = await cluster.node('n1', {}, {}, { log: { ...silentLog, warn } });
  const { redis, keys } = await cluster.store();
  await redis.config('SET', 'maxmemory', '1gb');
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await redis.del(keys.node('n1'), keys.lease('n1'));
  await until(() => hints.some((line) => line.startsWith('Redis lost the lease of node n1')), 'the loss is logged');
  t.regex(hints.join('\n'), /evicts keys .*maxmemory-policy noeviction/);
  await node.reportState();
  t.is(await redis.exists(keys.lease('n1')), 1);
});
