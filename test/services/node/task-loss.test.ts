import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { instancesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { loseRecord, transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Redis forgets a task, or brings one back that has ended. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

/** Simulates a Redis that lost the beginning of a delete. */
async function forgetTask(id: string): Promise<void> {
  const { redis, keys } = await cluster.store();
  await redis
    .multi()
    .hset(keys.volume(id), 'status', 'available')
    .hdel(keys.volume(id), 'task', 'requesters')
    .zrem(keys.tasks('n1'), id)
    .exec();
}

test.serial('a volume whose task a loss of Redis brought back is examined after it', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  const [found] = await driver.listVolumes();
  if (found) await driver.deleteVolume({ ...found, size: 1 }); // it was deleted after the state that is back
  await transit(store, id, 'startDetach');
  await store.redis.del(store.keys.node('n1')); // with its lease, which its daemon acquires again
  const lost = await until(
    async () => (await node.getVolume(id)).status === 'error' && node.getVolume(id),
    'the record says that its storage is gone',
  );
  t.like(lost, { attachStatus: 'detached', fault: { code: 'StorageMissing' } });
});

test.serial(
  'a volume whose task an older Redis brought back to a daemon that starts is examined after it',
  async (t) => {
    const driver = new FakeDriver();
    const before = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await commands.attach(id, attachment, deadline);
    await before.stop();
    const [found] = await driver.listVolumes();
    if (found) await driver.deleteVolume({ ...found, size: 1 }); // it was deleted after the state that is back
    await transit(await cluster.store(), id, 'startDetach');
    const node = await cluster.node('n1', {}, { driver });
    await until(async () => (await node.getVolume(id)).status === 'error', 'the record says that its storage is gone');
    t.like(await node.getVolume(id), { attachStatus: 'detached', fault: { code: 'StorageMissing' } });
  },
);

for (const isStopped of [false, true]) {
  const when = isStopped ? 'at a start' : 'while the daemon runs';
  test.serial(`an export goes on where an older Redis has its volume as being created, ${when}`, async (t) => {
    const driver = new FaultyDriver(new FakeDriver());
    const target = new FakeTarget();
    let node = await cluster.node('n1', {}, { driver, target });
    const commands = await cluster.commands();
    const release = driver.holdOnce('createVolume');
    const { id } = await commands.create(newVolume);
    await until(() => driver.isHeld('createVolume'), 'it is being created');
    const restore = await cluster.server.keepCopy();
    release();
    await until(async () => (await node.getVolume(id)).status === 'available', 'it is created');
    await commands.attach(id, attachment, deadline);
    const removed: string[] = [];
    target.removeExport = async (one) => void removed.push(one);
    if (isStopped) await node.stop();
    await restore();
    if (isStopped) node = await cluster.node('n1', {}, { driver, target });
    const isAttached = async () => {
      const { attachStatus } = await node.getVolume(id);
      return attachStatus === 'attached' && (await instancesOf(await cluster.store(), id)).join() === 'unknown';
    };
    await until(isAttached, 'it is recorded as attached');
    t.deepEqual(removed, []);
    t.true(target.exports.has(id));
  });
}

test.serial('a deletion that Redis forgot before the storage was removed leaves it', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const lines: string[] = [];
  const log = { ...silentLog, error: (line: string) => void lines.push(line) };
  const node = await cluster.node('n1', {}, { driver, target }, { log });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const gate = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  target.removeExport = async () => {
    began.resolve();
    await gate.promise;
  };
  await commands.delete(id);
  await began.promise;
  await forgetTask(id);
  gate.resolve();
  await until(() => lines.some((line) => line.includes('no longer asks for the delete')), 'it ends');
  t.is((await driver.listVolumes()).length, 1);
  t.is((await node.getVolume(id)).status, 'available');
});

test.serial('a volume that was busy during the comparison after a loss of Redis is examined again', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  const release = driver.holdOnce('deleteVolume');
  t.teardown(release);
  await commands.delete(id);
  await until(() => driver.isHeld('deleteVolume'), 'it is being deleted');
  let looks = 0;
  const list = driver.listVolumes.bind(driver);
  driver.listVolumes = async () => {
    looks += 1;
    return list();
  };
  await forgetTask(id);
  await redis.del(keys.node('n1')); // with its lease, which its daemon acquires again
  await until(() => looks > 0, 'storage is examined');
  const other = await until(() => commands.create(newVolume, deadline), 'it takes volumes', 20_000);
  t.is((await node.getVolume(other.id)).status, 'available', 'although that volume is still busy');
  release();
  const lost = await until(
    async () => (await node.getVolume(id)).status === 'error' && node.getVolume(id),
    'the record says that its storage is gone',
  );
  t.like(lost, { fault: { code: 'StorageMissing' } });
});

test.serial('the requester of a delete that Redis lost is not told that it is done', async (t) => {
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
  const { id } = await commands.create(newVolume, deadline);
  const asked = t.throwsAsync(commands.delete(id, deadline), { code: 'ChangeLost' });
  await until(async () => (await redis.hget(keys.volume(id), 'status')) === 'deleting', 'it is being deleted');
  await forgetTask(id);
  await asked;
  gate.resolve();
});

test.serial('a delete is done when its id is the one of a new volume', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  const release = driver.holdOnce('deleteVolume');
  t.teardown(release);
  const asked = commands.delete(id, deadline);
  await until(() => driver.isHeld('deleteVolume'), 'it is being deleted');
  await redis.hincrby(keys.volume(id), 'createTime', 1);
  await forgetTask(id);
  await t.notThrowsAsync(asked);
});

test.serial('a volume whose record Redis lost while it is being deleted gets no record again', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const release = driver.holdOnce('deleteVolume');
  t.teardown(release);
  await commands.delete(id);
  await until(() => driver.isHeld('deleteVolume'), 'it is being deleted');
  const store = await cluster.store();
  await loseRecord(store, id);
  await store.redis.del(store.keys.node('n1')); // with its lease, which its daemon acquires again
  await until(() => commands.create(newVolume, deadline), 'records and storage were compared', 20_000);
  t.is(await volumesOf(store).find(id), undefined);
  release();
  await until(async () => (await driver.listVolumes()).length === 1, 'its storage is gone');
  t.is(await volumesOf(store).find(id), undefined);
});

test.serial('a creation that Redis forgot, and that fails when it is repeated, leaves the data alone', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const target = new FakeTarget();
  const flags = { max_operations: '1', num_shell_tries: '1', export_unattached: 'true' };
  const node = await cluster.node('n1', flags, { driver, target });
  const commands = await cluster.commands();
  const release = driver.holdOnce('createVolume');
  await commands.create(newVolume);
  const { id } = await commands.create(newVolume); // waits for the first
  const restore = await cluster.server.keepCopy();
  release();
  const isStatus = async (status: string) => (await node.getVolume(id)).status === status;
  await until(() => isStatus('available'), 'it is created');
  target.exportFault = errors.exportFailed(id, 'the test fails it');
  target.exports.clear(); // an export that runs would have the volume available again at once
  await restore();
  // Its status is error (StorageKept) for as long as the comparison after the loss takes, which has it available again.
  await until(() => target.failedExports > 0, 'it is not created again');
  const made = (await driver.listVolumes()).map((volume) => volume.id);
  t.true(made.includes(id), 'its data are there');
  target.exportFault = undefined;
  await until(async () => (await isStatus('available')) && target.exports.has(id), 'it is served again');
});

for (const isStopped of [false, true]) {
  const when = isStopped ? 'at a start' : 'while the daemon runs';
  test.serial(
    `a delete that an older Redis has again leaves a volume that was created anew with its id, ${when}`,
    async (t) => {
      const driver = new FaultyDriver(new FakeDriver());
      const target = new FakeTarget();
      let node = await cluster.node('n1', {}, { driver, target });
      const commands = await cluster.commands();
      const { id } = await commands.create({ ...newVolume, size: 2, name: 'first' }, deadline);
      const release = driver.holdOnce('deleteVolume');
      t.teardown(release);
      await commands.delete(id);
      await until(() => driver.isHeld('deleteVolume'), 'it is being deleted');
      const restore = await cluster.server.keepCopy();
      release();
      const again = () => commands.create({ ...newVolume, id, name: 'second' }, deadline);
      await until(() => again().catch(() => undefined), 'the id is free again');
      await commands.attach(id, attachment, deadline);
      const { createTime, address } = await node.getVolume(id);
      if (isStopped) await node.stop();
      await restore();
      if (isStopped) node = await cluster.node('n1', {}, { driver, target });
      const isBack = async () => (await node.getVolume(id).catch(() => undefined))?.attachStatus === 'attached';
      await until(isBack, 'its record is that of the later volume', 15_000);
      t.like(await node.getVolume(id), { name: 'second', size: 1, createTime, address });
      t.deepEqual(await instancesOf(await cluster.store(), id), ['unknown']);
      t.true(target.exports.has(id));
      await commands.detach(id, deadline);
      await commands.delete(id, deadline);
      t.deepEqual(await driver.listVolumes(), []);
    },
  );
}
