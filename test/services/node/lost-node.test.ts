import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { Node } from '../../../lib/models/node.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What a node that was declared lost holds up, which is nothing, and what it finds when it is back. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project', node: 'n1' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

test.serial('a node that is up cannot be declared lost, nor one that nobody knows', async (t) => {
  const node = await cluster.node('n1');
  await t.throwsAsync(Node.lose(store, 'n1', 'volume'), { code: 'NodeUp', message: /^node n1 is up/ });
  await t.throwsAsync(Node.lose(store, 'nosuch', 'volume'), { code: 'NodeNotFound' });
  await node.stop();
  t.is(await Node.lose(store, 'n1', 'volume'), 0);
  t.is((await Node.lookup(store, 'n1')).state.state, 'lost');
});

test.serial(
  'volumes of a lost node say so, can be detached and deleted at once, and are there again with it',
  async (t) => {
    const driver = new FakeDriver();
    const node = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const kept = await commands.create({ ...wanted, name: 'kept' }, deadline);
    const attached = await commands.create(wanted, deadline);
    const detached = await commands.create(wanted, deadline);
    const deleted = await commands.create({ ...wanted, name: 'deleted' }, deadline);
    for (const { id } of [attached, detached]) await commands.attach(id, attachment, deadline);
    await node.stop();
    t.is(await Node.lose(store, 'n1', 'volume'), 4);

    t.like((await commands.detach(detached.id, deadline)).fault, { code: 'NodeLost' });
    await commands.delete(deleted.id, deadline);
    await t.throwsAsync(commands.delete(deleted.id), { code: 'VolumeNotFound' });
    const while_lost = await Array.fromAsync(node.all());
    t.deepEqual(
      while_lost.map(({ id, status, attachStatus, fault }) => [id, status, attachStatus, fault?.code]),
      [
        [kept.id, 'error', 'detached', 'NodeLost'],
        [attached.id, 'error', 'attached', 'NodeLost'],
        [detached.id, 'error', 'detached', 'NodeLost'],
      ],
    );
    await t.throwsAsync(commands.attach(kept.id, attachment), { code: 'WrongStatus' });
    t.is((await driver.listVolumes()).length, 4, 'the node itself was not touched');

    const back = await cluster.node('n1', {}, { driver });
    await until(async () => (await driver.listVolumes()).length === 3, 'what was deleted is gone');
    t.like(await back.getVolume(kept.id), { status: 'available', name: 'kept', fault: undefined });
    t.like(await back.getVolume(attached.id), { status: 'in-use', attachStatus: 'attached', instanceId: 'i-1' });
    t.like(await back.getVolume(detached.id), { status: 'available', attachStatus: 'detached', instanceId: '' });
    await until(async () => (await agreement(driver)).length === 0, 'everything agrees').catch(async () => {
      t.deepEqual(await agreement(driver), []);
    });
  },
);

test.serial('what a node was at when it was lost ends at once, and is put right when it is back', async (t) => {
  const kept = new FakeDriver();
  const driver = new FaultyDriver(kept);
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  const deletion = driver.holdOnce('deleteVolume');
  await commands.delete(id);
  const creation = driver.holdOnce('createVolume');
  const creating = await commands.create({ ...wanted, name: 'half' });
  await until(async () => (await node.getVolume(creating.id)).shelfId !== undefined, 'the node is at it');
  await store.redis.del(store.keys.lease('n1'));
  await Node.lose(store, 'n1', 'volume');
  const left = async () =>
    (await Array.fromAsync(node.all())).map((volume) => [volume.id, volume.status, volume.fault?.code]);
  t.deepEqual(await left(), [[creating.id, 'error', 'NodeLost']]);
  t.is(await store.redis.exists(store.keys.topic('volume.n1')), 0, 'no command waits for it, fetched or not');
  deletion();
  creation();
  await node.stop();
  t.deepEqual(await left(), [[creating.id, 'error', 'NodeLost']], 'its daemon no longer holds the name');

  const back = await cluster.node('n1', {}, { driver: kept });
  t.like(await back.getVolume(creating.id), { status: 'available', fault: undefined });
  await until(async () => (await agreement(kept)).length === 0, 'what was being deleted is gone');
});

test.serial('a creation that was handed to a node before it was lost is carried out by another', async (t) => {
  await cluster.node('full', {}, { driver: new FakeDriver({ totalBytes: 0 }) });
  await Node.enter(store, { name: 'n2', holder: 'a daemon that hangs', leaseMs: 60_000, topic: 'volume' });
  const commands = await cluster.commands();
  const anywhere = { size: 1, userId: 'user', projectId: 'project' };
  const { id } = await commands.create(anywhere);
  await until(async () => (await store.redis.xlen(store.keys.topic('volume.n2'))) === 1, 'it was handed on');
  const other = await cluster.node('n3');
  await store.redis.del(store.keys.lease('n2')); // as if it had not been heard of for node_down_time
  await Node.lose(store, 'n2', 'volume');
  await until(async () => (await other.getVolume(id)).status === 'available', 'another node has made it');
  t.is((await other.getVolume(id)).node, 'n3');
});

test.serial('a daemon whose node was declared lost while it was not heard of changes nothing more', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await store.redis.del(store.keys.lease('n1')); // as if it had not been heard of for node_down_time
  await Node.lose(store, 'n1', 'volume');
  await t.throwsAsync(node.reportState(), { code: 'Fenced' });
  t.like(await node.getVolume(id), { status: 'error', fault: { code: 'NodeLost' } });
});

test.serial(
  'a daemon that takes its name again after a loss that is dated before it has its volumes again',
  async (t) => {
    const driver = new FakeDriver();
    const node = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create(wanted, deadline);
    const { id: gone } = await commands.create(wanted, deadline);
    await store.redis.del(store.keys.lease('n1'));
    await Node.lose(store, 'n1', 'volume');
    await driver.deleteVolume(spec({ id: gone }));
    await store.redis.hset(store.keys.node('n1'), 'fence', '1-lost'); // the date was set back meanwhile
    await until(async () => (await node.getVolume(id)).status === 'available', 'it is available');
    t.is((await node.getVolume(id)).fault, undefined);
    const isMissing = async () => (await node.getVolume(gone)).fault?.code === 'StorageMissing';
    await until(isMissing, 'what is not there any more is said to be missing');
  },
);

test.serial('a volume whose detach fails while its node comes back is there again by itself', async (t) => {
  const kept = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver: kept });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  await Node.lose(store, 'n1', 'volume');

  const driver = new FaultyDriver(kept);
  const look = driver.holdOnce('listVolumes');
  const target = new FailingTarget();
  const starting = cluster.node('n1', { num_shell_tries: '1' }, { driver, target });
  await until(async () => (await Node.lookup(store, 'n1')).state.state === 'up', 'the node has entered');
  const detach = commands.detach(id, deadline);
  const isAsked = async () => (await node.getVolume(id)).attachStatus === 'detaching';
  await until(isAsked, 'the detach is asked for before the volume is looked at');
  look();
  await t.throwsAsync(detach, { code: 'NodeLost' });
  t.like(await node.getVolume(id), { status: 'error', attachStatus: 'attached', fault: { code: 'NodeLost' } });
  target.fails = false;
  await until(async () => (await node.getVolume(id)).status === 'in-use', 'it is there again');
  await commands.detach(id, deadline);
  t.like(await (await starting).getVolume(id), { status: 'available', fault: undefined });
});

/** Exports nothing, and cannot. */
class FailingTarget extends NoneTarget {
  fails = true;

  override async ensureExport(): Promise<void> {
    if (this.fails) throw errors.exportFailed('of a test', 'it fails');
  }
}

async function agreement(driver: FakeDriver): Promise<string[]> {
  return disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]);
}
