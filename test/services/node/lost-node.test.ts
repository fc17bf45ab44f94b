import { randomUUID } from 'node:crypto';
import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { NodeLease } from '../../../services/node/lease.ts';
import { instancesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { fakeNode, insertVolume } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** A node that was declared lost blocks nobody, and has its volumes again when it returns. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project', node: 'n1' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

test.serial('a node that is up cannot be declared lost, nor one that does not exist', async (t) => {
  const node = await cluster.node('n1');
  await t.throwsAsync(declareLost(store, 'n1', { topic: 'volume' }), { code: 'NodeUp', message: /^node n1 is up/ });
  await t.throwsAsync(declareLost(store, 'nosuch', { topic: 'volume' }), { code: 'NodeNotFound' });
  await node.stop();
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 0);
  t.is((await lookupNode(store, 'n1')).state, 'lost');
});

test.serial('a lost node names its volumes whose records cannot be read: nothing is done with them', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const [odd, good] = [await commands.create(newVolume, deadline), await commands.create(newVolume, deadline)];
  await node.stop();
  await store.redis.hset(store.keys.volume(odd.id), 'status', 'hibernating');
  const unreadable: string[] = [];
  t.is(
    await declareLost(store, 'n1', {
      topic: 'volume',
      onUnreadable: ({ id, reason }) => unreadable.push(`${id} ${reason}`),
    }),
    1,
  );
  t.deepEqual(unreadable, [`${odd.id} has status "hibernating"`]);
  t.like(await volumesOf(store).lookup(good.id), { status: 'error', fault: { code: 'NodeLost' } });
});

test.serial('a node whose record cannot be read can be declared lost: its volumes can be deleted', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  await store.redis.hset(store.keys.node('n1'), 'reportTime', 'noon');
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 1);
  await commands.delete(id, deadline);
  t.is(await store.redis.exists(store.keys.volume(id)), 0);
});

test.serial(
  'a lease without a time to live, as a copy of Redis can have it, holds no longer than others',
  async (t) => {
    await fakeNode(store, 'n1', { backends: [{}] });
    t.is((await lookupNode(store, 'n1')).state, 'up');
    await store.redis.persist(store.keys.lease('n1'));
    t.is((await lookupNode(store, 'n1')).state, 'down');
    const commands = await cluster.commands();
    await t.throwsAsync(commands.create(newVolume), { code: 'NodeDown' });
    const other = { node: 'n1', holder: 'another' };
    await t.throwsAsync(NodeLease.acquire(store, { ...other, leaseMs: 600_000 }), {
      code: 'NodeNameTaken',
      message: /(59\d|600) s/,
    });
    t.is(await declareLost(store, 'n1', { topic: 'volume' }), 0);
    await until(
      () =>
        NodeLease.acquire(store, { ...other, leaseMs: 10 }).then(
          () => true,
          () => false,
        ),
      'another daemon has the name',
    );
  },
);

test.serial('volumes of a lost node say so, can be detached and deleted at once, and return with it', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const kept = await commands.create({ ...newVolume, name: 'kept' }, deadline);
  const attached = await commands.create(newVolume, deadline);
  const detached = await commands.create(newVolume, deadline);
  const deleted = await commands.create({ ...newVolume, name: 'deleted' }, deadline);
  for (const { id } of [attached, detached]) await commands.attach(id, attachment, deadline);
  await node.stop();
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 4);

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
  await until(async () => (await driver.listVolumes()).length === 3, 'the deleted volume is gone');
  t.like(await back.getVolume(kept.id), { status: 'available', name: 'kept', fault: undefined });
  t.like(await back.getVolume(attached.id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await instancesOf(store, attached.id), ['i-1']);
  t.like(await back.getVolume(detached.id), { status: 'available', attachStatus: 'detached', attachments: [] });
  await until(async () => (await agreement(driver)).length === 0, 'everything agrees').catch(async () => {
    t.deepEqual(await agreement(driver), []);
  });
});

test.serial(
  'what was detached while its node was lost stays detached when the node returns, and its export ends',
  async (t) => {
    const driver = new FakeDriver();
    const target = new FakeTarget();
    const node = await cluster.node('n1', {}, { driver, target });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await commands.attach(id, { ...attachment, hosts: ['52:54:00:00:00:01'] }, deadline);
    await node.stop();
    await declareLost(store, 'n1', { topic: 'volume' });
    await commands.detach(id, deadline);
    t.true(target.exports.has(id), 'the export went on');
    target.removeFault = errors.exportStays(id, 4711);
    const back = await cluster.node('n1', {}, { driver, target });
    await until(
      async () => (await lookupNode(store, 'n1')).problems.some((line) => line.includes('4711')),
      'a problem',
    );
    t.like(await back.getVolume(id), { status: 'error', attachStatus: 'detached' }, 'while its host can still write');
    target.removeFault = undefined;
    await until(async () => (await back.getVolume(id)).status === 'available', 'it is available');
    t.like(await back.getVolume(id), { attachStatus: 'detached', attachments: [] });
    t.false(target.exports.has(id));
    await until(async () => (await lookupNode(store, 'n1')).problems.length === 0, 'no problem is left');
  },
);
test.serial('a detach while the declaration of a loss is incomplete also lasts when the node returns', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const node = await cluster.node('n1', {}, { driver, target });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const { status } = await commands.attach(id, { ...attachment, hosts: ['52:54:00:00:00:01'] }, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await store.redis.hset(store.keys.volume(id), { status }); // as if it had ended before this volume
  await store.redis.hdel(store.keys.volume(id), 'fault');
  await commands.detach(id, deadline);
  const back = await cluster.node('n1', {}, { driver, target });
  await until(async () => (await back.getVolume(id)).status === 'available', 'it is available');
  t.like(await back.getVolume(id), { attachStatus: 'detached', attachments: [] });
  t.false(target.exports.has(id));
});

test.serial('a detach of another attachment is refused also while the node is lost', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const attached = await commands.attach(id, attachment, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await t.throwsAsync(commands.detach(id, { ...deadline, attachment: randomUUID() }), { code: 'VolumeNotAttached' });
  t.like(await node.getVolume(id), { attachStatus: 'attached', attachments: [attached.use.id] });
  t.like(await commands.detach(id, { ...deadline, attachment: attached.use.id }), { attachStatus: 'detached' });
});

test.serial('tasks of a lost node end at once, and are put right when it returns', async (t) => {
  const kept = new FakeDriver();
  const driver = new FaultyDriver(kept);
  const node = await cluster.node('n1', {}, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const { id: attaching } = await commands.create(newVolume, deadline);
  const verbs = ['deleteVolume', 'ensureVolume', 'createVolume'] as const;
  const [deletion, attach, creation] = verbs.map((verb) => driver.holdOnce(verb));
  const deleting = commands.delete(id, deadline);
  const attached = t.throwsAsync(commands.attach(attaching, attachment, deadline), { code: 'NodeLost' });
  const half = { ...newVolume, id: randomUUID() };
  const created = t.throwsAsync(commands.create(half, deadline), { code: 'NodeLost' });
  await until(() => verbs.every((verb) => driver.isHeld(verb)), 'all have begun');
  await store.redis.del(store.keys.lease('n1'));
  await declareLost(store, 'n1', { topic: 'volume' });
  await Promise.all([deleting, attached, created]); // their requesters have their answers
  const left = async () =>
    (await Array.fromAsync(node.all())).map((volume) => [
      volume.id,
      volume.status,
      volume.attachStatus,
      volume.fault?.code,
    ]);
  const expected = [
    [attaching, 'error', 'detached', 'NodeLost'],
    [half.id, 'error', 'detached', 'NodeLost'],
  ];
  t.deepEqual(await left(), expected);
  for (const release of [deletion, attach, creation]) release?.();
  await node.stop();
  t.deepEqual(await left(), expected, 'its daemon no longer holds the name');

  const label = (await kept.listVolumes()).find((volume) => volume.id === half.id)?.labels['address'];
  const back = await cluster.node('n1', {}, { driver: kept, target: new FakeTarget() });
  t.like(await back.getVolume(half.id), { status: 'available', fault: undefined, address: label });
  t.truthy(label);
  t.like(await back.getVolume(attaching), { status: 'available', attachStatus: 'detached', fault: undefined });
  await until(async () => (await agreement(kept)).length === 0, 'the volume that was being deleted is gone');
});

test.serial('commands that a lost node never fetched do nothing when it returns', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  await commands.attach(id, attachment);
  await declareLost(store, 'n1', { topic: 'volume' });
  t.like(await node.getVolume(id), { status: 'error', attachStatus: 'detached' });
  const back = await cluster.node('n1', {}, { driver });
  await until(async () => (await store.redis.xlen(store.keys.topic('volume.n1'))) === 0, 'it has fetched the command');
  t.like(await back.getVolume(id), { status: 'available', attachStatus: 'detached' });
  t.deepEqual(await agreement(driver), []);
});

test.serial('node lost that was interrupted is repeated and ends what was left', async (t) => {
  await fakeNode(store, 'n1', { leaseMs: 1, backends: [{}] });
  for (let count = 0; count < 40; count += 1) await insertVolume(store, { name: `v${count}` });
  const interrupted = new Error('interrupted');
  const stopAt = (most: number) => (done: number) => {
    if (done >= most) throw interrupted;
  };
  await t.throwsAsync(declareLost(store, 'n1', { topic: 'volume', onProgress: stopAt(20) }), { is: interrupted });
  t.is((await lookupNode(store, 'n1')).state, 'lost');
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 40);
  const volumes = await Array.fromAsync(volumesOf(store).iterate(store.keys.nodeVolumes('n1')));
  t.is(volumes.length, 40);
  t.true(volumes.every(({ status, task, fault }) => status === 'error' && !task && fault?.code === 'NodeLost'));
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 40, 'a further call changes nothing');
});

test.serial('a daemon whose node was declared lost while it was down changes nothing more', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await store.redis.del(store.keys.lease('n1')); // as if it had been down for node_down_time
  await declareLost(store, 'n1', { topic: 'volume' });
  await t.throwsAsync(node.reportState(), { code: 'Fenced' });
  t.like(await node.getVolume(id), { status: 'error', fault: { code: 'NodeLost' } });
});

test.serial(
  'a daemon that acquires its name again after a loss that is dated before it has its volumes again',
  async (t) => {
    const driver = new FakeDriver();
    const node = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    const { id: gone } = await commands.create(newVolume, deadline);
    await store.redis.del(store.keys.lease('n1'));
    await declareLost(store, 'n1', { topic: 'volume' });
    await driver.deleteVolume(spec({ id: gone }));
    await store.redis.hset(store.keys.node('n1'), 'token', '1-lost'); // the date was set back meanwhile
    await until(async () => (await node.getVolume(id)).status === 'available', 'it is available');
    t.is((await node.getVolume(id)).fault, undefined);
    const isMissing = async () => (await node.getVolume(gone)).fault?.code === 'StorageMissing';
    await until(isMissing, 'the removed storage is reported as missing');
  },
);

test.serial('a volume whose detach fails while its node returns is served again by itself', async (t) => {
  const kept = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver: kept, target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });

  const driver = new FaultyDriver(kept);
  const look = driver.holdOnce('listVolumes');
  const target = new FakeTarget();
  target.removeFault = errors.exportFailed('of a test', 'it fails');
  const starting = cluster.node('n1', { num_shell_tries: '1' }, { driver, target });
  await until(async () => (await lookupNode(store, 'n1')).state === 'up', 'the node is up');
  const detach = commands.detach(id, deadline);
  const isAsked = async () => (await node.getVolume(id)).attachStatus === 'detaching';
  await until(isAsked, 'the detach is requested before the volume is examined');
  look();
  await t.throwsAsync(detach, { code: 'ExportFailed' });
  t.like(await node.getVolume(id), { status: 'error', attachStatus: 'attached', fault: { code: 'NodeLost' } });
  target.removeFault = undefined;
  await until(async () => (await node.getVolume(id)).status === 'in-use', 'it is served again');
  await commands.detach(id, deadline);
  t.like(await (await starting).getVolume(id), { status: 'available', fault: undefined });
});

async function agreement(driver: FakeDriver): Promise<string[]> {
  return disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]);
}
