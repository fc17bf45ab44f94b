import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { BlockstoreError, errors } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { Caller } from '../../../lib/client/caller.ts';
import { NodeCommands } from '../../../lib/client/node-commands.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { Node } from '../../../lib/models/node.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { BlockStore } from '../../../services/node/block-store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Redis loses something under daemons that run: they go on by themselves, as long as nobody else has their name. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

test.serial('an emptied Redis has its records and topics again, and nobody was started anew', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(wanted, deadline);
  await store.redis.flushall();
  await until(async () => (await node.getVolume(id)).status === 'available', 'the volume has a record again');
  t.is((await node.getVolume(id)).aoeDevice, 'e1.0');
  const other = await commands.create(wanted, deadline);
  t.is(other.aoeDevice, 'e1.1', 'no number is given out twice');
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test.serial('a topic or its group that went missing is made again', async (t) => {
  await cluster.node('n1');
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  await redis.xgroup('DESTROY', keys.topic('volume'), 'nodes');
  await redis.del(keys.topic('volume.n1'));
  const { id } = await until(() => commands.create(wanted, deadline), 'a volume can be made');
  await commands.delete(id, deadline);
  t.pass();
});

test.serial(
  'a Redis from an older copy: what was made since has a record again, what was deleted says so',
  async (t) => {
    const driver = new FakeDriver();
    const node = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const store = await cluster.store();
    const kept = await commands.create(wanted, deadline);
    const deleted = await commands.create(wanted, deadline);
    const restore = await cluster.server.keepCopy();
    const made = await until(() => commands.create(wanted, deadline), 'a volume is made after the copy');
    await commands.delete(deleted.id, deadline);
    await commands.attach(kept.id, attachment, deadline);
    await restore();
    await until(async () => (await node.getVolume(made.id)).status === 'available', 'it has a record again');
    t.is((await node.getVolume(made.id)).aoeDevice, made.aoeDevice);
    t.like(await node.getVolume(deleted.id), { status: 'error', fault: { code: 'StorageMissing' } });
    t.like(await node.getVolume(kept.id), { status: 'available' }, 'attachments made since are not known');
    await commands.create(wanted, deadline);
    t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
  },
);

/** Exports nothing while it is broken. */
class BreakingTarget extends NoneTarget {
  broken = false;

  override async ensureExport(spec: ExportSpec): Promise<void> {
    if (this.broken) throw new BlockstoreError('CommandNotFound', 'failed', 'the test fails it');
    return super.ensureExport(spec);
  }
}

test.serial(
  'a creation that Redis forgot, and that fails when it is carried out again, leaves the data alone',
  async (t) => {
    const driver = new FaultyDriver(new FakeDriver());
    const target = new BreakingTarget();
    const node = await cluster.node('n1', { max_operations: '1' }, { driver, target });
    const commands = await cluster.commands();
    const release = driver.holdOnce('createVolume');
    await commands.create(wanted);
    const { id } = await commands.create(wanted); // nobody can take it yet
    const restore = await cluster.server.keepCopy();
    release();
    const isStatus = async (status: string) => (await node.getVolume(id)).status === status;
    await until(() => isStatus('available'), 'it is made');
    target.broken = true;
    await restore();
    await until(() => isStatus('error'), 'it is not made again');
    t.like(await node.getVolume(id), { fault: { code: 'StorageKept', step: 'export' } });
    const made = (await driver.listVolumes()).map((volume) => volume.id);
    t.true(made.includes(id), 'its data are there');
    target.broken = false;
    const store = await cluster.store();
    await new NodeCommands(store, new Caller(store), 'volume').audit('n1', { repair: true, remove: [] }, deadline);
    t.true(await isStatus('available'));
  },
);

/** Its third listing fails, once it is told to count. */
class FailingDriver extends FakeDriver {
  left = -1;

  override async listVolumes() {
    this.left -= 1;
    if (this.left === 0) throw errors.lvmFailed('lvs', 'the test fails it');
    return super.listVolumes();
  }
}

test.serial('what cannot be mended at once is mended with a later report', async (t) => {
  const driver = new FailingDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const { id } = await until(() => commands.create(wanted, deadline), 'a volume is made after the copy');
  driver.left = 3; // two looks, then the mending
  await restore();
  await until(async () => (await node.getVolume(id)).status === 'available', 'it has a record again');
  t.true(driver.left < 0);
});

test.serial('a volume that was busy at the look after Redis went back is looked at again', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const { id } = await commands.create(wanted, deadline);
  const release = driver.holdOnce('deleteVolume');
  await commands.delete(id);
  await until(async () => (await redis.hget(keys.volume(id), 'status')) === 'deleting', 'it is being deleted');
  let looks = 0;
  const list = driver.listVolumes.bind(driver);
  driver.listVolumes = async () => {
    looks += 1;
    return list();
  };
  await redis.multi().hset(keys.volume(id), 'status', 'available').zrem(keys.pending('n1'), id).exec();
  await redis.client('KILL', 'TYPE', 'NORMAL');
  await until(() => looks > 1, 'storage is looked at, and again as long as the volume is busy');
  release();
  const lost = await until(
    async () => (await node.getVolume(id)).status === 'error' && node.getVolume(id),
    'the record tells that its storage is gone',
  );
  t.like(lost, { fault: { code: 'StorageMissing' } });
});

test.serial('a command whose fetching was cut off is carried out at the reconnection', async (t) => {
  await cluster.node('n1');
  const store = await cluster.store();
  const { redis, keys } = store;
  const elsewhere = new VolumeCommands(store, new Caller(store), 'elsewhere');
  const created = elsewhere.create(wanted, deadline);
  const [[, fields] = ['', []]] = await until(async () => {
    const entries = await redis.xrange(keys.topic('elsewhere'), '-', '+');
    return entries.length > 0 && entries;
  }, 'there is a command');
  const topic = keys.topic('volume');
  await redis
    .multi()
    .xadd(topic, '*', ...fields)
    .xreadgroup('GROUP', 'nodes', 'n1', 'COUNT', 1, 'STREAMS', topic, '>')
    .exec();
  await redis.client('KILL', 'TYPE', 'NORMAL');
  t.is((await created).status, 'available');
});

test.serial('who waits for a delete that Redis lost is not told that it is done', async (t) => {
  const driver = new FakeDriver();
  const gate = Promise.withResolvers<void>();
  const remove = driver.deleteVolume.bind(driver);
  driver.deleteVolume = async (spec) => {
    await gate.promise;
    await remove(spec);
  };
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const { id } = await commands.create(wanted, deadline);
  const asked = t.throwsAsync(commands.delete(id, deadline), { code: 'ChangeLost' });
  await until(async () => (await redis.hget(keys.volume(id), 'status')) === 'deleting', 'it is being deleted');
  await redis.multi().hset(keys.volume(id), 'status', 'available').zrem(keys.pending('n1'), id).exec();
  await asked;
  gate.resolve();
});

test.serial('a Redis from a copy older than the daemon’s start gives it its name back', async (t) => {
  const driver = new FakeDriver();
  const before = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  const restore = await cluster.server.keepCopy();
  await until(() => before.reportState().then(() => true), 'it is connected again');
  await before.stop();
  const node = await cluster.node('n1', {}, { driver });
  await restore();
  await until(() => commands.delete(id, deadline).then(() => true), 'its volume can be deleted');
  await node.reportState();
  t.deepEqual(await driver.listVolumes(), []);
});

test.serial('a fence is never given out twice, also where Redis went back in time', async (t) => {
  const { redis, ...rest } = await cluster.store();
  const store = await cluster.store();
  const lease = { name: 'n1', holder: 'one', leaseMs: 60_000, topic: 'volume' };
  await Node.enter(store, lease);
  const key = rest.keys.node('n1');
  const copy = await redis.dumpBuffer(key);
  const second = await Node.enter(store, lease);
  await redis.restore(key, 0, copy, 'REPLACE');
  const third = await Node.enter(store, lease);
  t.not(third.owner.fence, second.owner.fence);
  await t.throwsAsync(second.save(), { code: 'Fenced' });
  await t.throwsAsync(second.enterAgain(), { code: 'Fenced' }, 'another daemon came after it');
  await third.save();
});

test.serial('a name that Redis lost is taken again, also where the answer to that was lost', async (t) => {
  const store = await cluster.store();
  const lease = { name: 'n1', holder: 'one', leaseMs: 60_000, topic: 'volume' };
  const node = await Node.enter(store, lease);
  await pause(2); // a token has the time in it, in milliseconds
  await store.redis.del(store.keys.node('n1'));
  await t.throwsAsync(node.save(), { code: 'Fenced' });
  const run = store.run.bind(store);
  store.run = async (...args) => {
    await run(...args);
    store.run = run;
    throw new Error('the answer is lost');
  };
  await t.throwsAsync(node.enterAgain(), { message: 'the answer is lost' });
  await t.throwsAsync(node.save(), { code: 'Fenced' });
  await node.enterAgain();
  await node.save();
  t.pass();
});

test.serial('a daemon whose name another one took in an emptied Redis ends', async (t) => {
  const ended = Promise.withResolvers<string>();
  const flags = cluster.flags({ storage_name: 'n1', report_interval: '1', node_down_time: '2' });
  const store = await cluster.store();
  const backend = { name: 'fake', driver: new FakeDriver(), target: new NoneTarget() };
  const node = new BlockStore({
    flags,
    holder: 'test',
    store: await cluster.store(),
    backend,
    log: silentLog,
    onFenced: (error) => ended.resolve(error.code),
  });
  await node.start();
  t.teardown(() => node.stop());
  await store.redis
    .multi()
    .flushall()
    .hset(store.keys.node('n1'), 'fence', 'of another')
    .set(store.keys.lease('n1'), 'another', 'PX', 60_000)
    .exec();
  t.is(await ended.promise, 'Fenced');
  t.is(await store.redis.get(store.keys.lease('n1')), 'another');
});
