import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { DriverStats } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { LoggingDriver } from '../../support/logging-driver.ts';
import { fakeNode } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** On which backend a volume is placed, and how much each takes. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const rarely = { report_interval: '600', node_down_time: '3600' };
const gib = 2 ** 30;

/** Reports more space than it has. */
class OptimisticDriver extends FakeDriver {
  override async stats(): Promise<DriverStats> {
    return { ...(await super.stats()), totalBytes: 100 * gib, freeBytes: 100 * gib };
  }
}

test.serial('a hundred racing creates never overcommit a backend', async (t) => {
  const sizes: Record<string, number> = { n1: 7, n2: 11, n3: 2 };
  const drivers = new Map<string, FakeDriver>();
  for (const [name, size] of Object.entries(sizes)) {
    const driver = new FakeDriver({ totalBytes: size * gib });
    drivers.set(name, driver);
    await cluster.node(name, rarely, { driver });
  }
  const clients = await Promise.all([1, 2, 3, 4].map(() => cluster.commands()));
  const outcomes = await Promise.allSettled(
    Array.from({ length: 25 }, () => clients.map((client) => client.create(newVolume, deadline))).flat(),
  );
  const codes = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'created' : outcome.reason.code));
  t.is(codes.filter((code) => code === 'created').length, 20, 'all space is used');
  t.is(codes.filter((code) => code === 'NoSpace').length, 80);
  for (const [name, size] of Object.entries(sizes)) {
    t.is((await backendsOf(store).lookup(`${name}@fake`)).allocatedBytes, size * gib, name);
  }
  const storages = await Promise.all(
    Array.from(drivers, async ([node, driver]) => ({ node, volumes: await driver.listVolumes() })),
  );
  t.deepEqual(await disagreements(store, storages), []);
});

test.serial('space is reserved by the request and given back by the deletion', async (t) => {
  await fakeNode(store, 'n1', { backends: [{ capacityBytes: 3 * gib }] });
  const commands = await cluster.commands();
  await commands.create({ ...newVolume, size: 2 });
  const allocated = async () => (await backendsOf(store).lookup('n1@fake')).allocatedBytes;
  t.is(await allocated(), 2 * gib, 'before the node has begun');
  await t.throwsAsync(commands.create({ ...newVolume, size: 2 }), { code: 'NoSpace' });
  await commands.create({ ...newVolume, size: 0 });
  t.is(await allocated(), 2 * gib + 100 * 2 ** 20, 'size 0 is 100 MiB');
  await store.redis.del(store.keys.lease('n1'), store.keys.node('n1'));
  const node = await cluster.node('n1', rarely, { driver: new FakeDriver({ totalBytes: 3 * gib }) });
  for await (const { id } of node.all()) await commands.delete(id, deadline);
  t.is(await allocated(), 0);
});

test.serial('NoSpace names the reason per backend', async (t) => {
  await fakeNode(store, 'n1', {
    backends: [
      { name: 'small', capacityBytes: 1.5 * gib },
      { name: 'ill', accepting: false, problem: 'a disk is absent' },
    ],
  });
  const commands = await cluster.commands();
  const large = { ...newVolume, size: 2 };
  await t.throwsAsync(commands.create(large), {
    code: 'NoSpace',
    message: /^no backend has space for 2 GiB: .*n1@small: 1\.5 GiB free/,
  });
  await t.throwsAsync(commands.create({ ...large, node: 'n1' }), {
    code: 'NoSpace',
    message: 'n1 has no space for 2 GiB: n1@ill: a disk is absent; n1@small: 1.5 GiB free',
  });
});

test.serial('a backend that has changed since it was read last gives its reason', async (t) => {
  const commands = await cluster.commands();
  const report = async (backend: object) => fakeNode(store, 'n1', { backends: [backend] });
  await report({});
  await commands.create(newVolume);
  await report({ accepting: false, problem: 'a disk is absent' });
  await t.throwsAsync(commands.create(newVolume), { code: 'NoUsableBackend', message: /n1@fake: a disk is absent/ });
  await report({});
  await commands.create(newVolume);
  await report({ accepting: false });
  await t.throwsAsync(commands.create(newVolume), { code: 'BackendUnavailable', message: /takes no volumes now/ });
});

test.serial('backends that are down or have a problem are no lack of space', async (t) => {
  await fakeNode(store, 'n1', { backends: [{ accepting: false, problem: 'a disk is absent' }] });
  await fakeNode(store, 'n2', { leaseMs: 1, backends: [{}] });
  await until(async () => (await store.redis.exists(store.keys.lease('n2'))) === 0, 'n2 is down');
  const commands = await cluster.commands();
  const error = await t.throwsAsync(commands.create(newVolume), { code: 'NoUsableBackend' });
  t.regex(error.message, /n1@fake: a disk is absent/);
  t.regex(error.message, /n2@fake: down/);
});

test.serial('where every node has crashed no node is up', async (t) => {
  await fakeNode(store, 'n1', { leaseMs: 1, backends: [{}] });
  await until(async () => (await store.redis.exists(store.keys.lease('n1'))) === 0, 'n1 is down');
  const commands = await cluster.commands();
  for (let count = 0; count < 2; count += 1) await t.throwsAsync(commands.create(newVolume), { code: 'NoNodeUp' });
});

test.serial('without a node that is up there is no volume', async (t) => {
  const commands = await cluster.commands();
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoNodeUp' });
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n9' }, deadline), { code: 'NodeNotFound', message: /n9/ });
  const node = await cluster.node('n1');
  await node.stop();
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoNodeUp' });
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), { code: 'NodeDown' });
  t.is(await store.redis.zcard(store.keys.volumes()), 0);
});

test.serial('a node that crashed gets no volumes once its lease has expired, and no longer costs a look', async (t) => {
  await fakeNode(store, 'crashed', { leaseMs: 1, backends: [{ capacityBytes: 2 ** 50 }] });
  await fakeNode(store, 'n1', { backends: [{ capacityBytes: 10 * gib }] });
  await until(async () => (await store.redis.exists(store.keys.lease('crashed'))) === 0, 'it is down');
  const commands = await cluster.commands();
  for (let count = 0; count < 5; count += 1) t.is((await commands.create(newVolume)).node, 'n1');
  t.deepEqual(await store.redis.zrange(store.keys.freeSpace(), '0', '-1'), ['n1@fake']);
});

test.serial('a create just after another one is placed on no node that has stopped meanwhile', async (t) => {
  const stopped = await cluster.node('n1', rarely);
  const commands = await cluster.commands();
  await commands.create(newVolume, deadline);
  await cluster.node('n2', rarely);
  await stopped.stop();
  const { node } = await commands.create(newVolume, deadline);
  t.is(node, 'n2');
});

test.serial('a backend or pool that is named takes the volume alone', async (t) => {
  const fast = new FakeDriver({ totalBytes: gib });
  await cluster.node('n1', rarely, [{ name: 'fast', driver: fast }, { name: 'large' }]);
  const commands = await cluster.commands();
  t.like(await commands.create({ ...newVolume, node: 'n1@fast' }, deadline), { node: 'n1', backend: 'fast' });
  t.is((await fast.listVolumes()).length, 1);
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1@fast' }, deadline), {
    code: 'NoSpace',
    message: 'n1@fast has no space for 1 GiB: n1@fast: 0 GiB free',
  });
  t.like(await commands.create({ ...newVolume, node: 'n1' }, deadline), { node: 'n1', backend: 'large' });
  t.like(await commands.create({ ...newVolume, node: 'n1@large#fake' }, deadline), { node: 'n1', backend: 'large' });
  for (const place of ['n1@nosuch', 'n1@large#nosuch']) {
    const error = await t.throwsAsync(commands.create({ ...newVolume, node: place }, deadline), {
      code: 'BackendNotFound',
      message: `${place} does not exist`,
    });
    t.like(error, { hint: 'the node has n1@fast#fake, n1@large#fake' });
  }
  for (const place of ['n1@', '@large', 'n1#fake', 'n1@large#']) {
    await t.throwsAsync(commands.create({ ...newVolume, node: place }, deadline), { code: 'InvalidArgument' });
  }
  t.is(await store.redis.zcard(store.keys.volumes()), 3);
});

test.serial('where backends take no volumes for the moment, nothing is said to be full', async (t) => {
  await fakeNode(store, 'n1', { backends: [{ accepting: false }] });
  await fakeNode(store, 'n2', { backends: [{}] });
  await store.redis.del(store.keys.lease('n2'));
  const commands = await cluster.commands();
  const places = /^no backend takes volumes at present: (?=.*n1@fake: takes no volumes now)(?=.*n2@fake: down)/;
  await t.throwsAsync(commands.create(newVolume), { code: 'BackendUnavailable', message: places });
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }), { code: 'BackendUnavailable' });
});

test.serial('a backend that accepts no volumes gets none until it accepts them again', async (t) => {
  class DegradableDriver extends FakeDriver {
    acceptsCreates = false;

    override async stats(): Promise<DriverStats> {
      return { ...(await super.stats()), acceptsCreates: this.acceptsCreates, problem: 'a disk is absent' };
    }
  }
  const driver = new DegradableDriver();
  await cluster.node('n1', {}, { driver });
  await cluster.node('n2', {}, { driver: new FakeDriver({ totalBytes: 10 * gib }) });
  const commands = await cluster.commands();
  const created = await Promise.all(Array.from({ length: 10 }, () => commands.create(newVolume, deadline)));
  t.true(created.every(({ node }) => node === 'n2'));
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), {
    code: 'NoUsableBackend',
    message: /n1@fake: a disk is absent/,
  });
  driver.acceptsCreates = true;
  await until(async () => (await backendsOf(store).lookup('n1@fake')).accepting, 'it accepts volumes');
  t.is((await commands.create({ ...newVolume, node: 'n1' }, deadline)).node, 'n1');
});

test.serial(
  'a volume that its backend cannot take is placed on another one, and its space is given back',
  async (t) => {
    const full = new OptimisticDriver({ totalBytes: 0 });
    await cluster.node('full', rarely, { driver: full });
    await cluster.node('n2', rarely, { driver: new FakeDriver({ totalBytes: 50 * gib }) });
    const commands = await cluster.commands();
    const created = await Promise.all(Array.from({ length: 20 }, () => commands.create(newVolume, deadline)));
    t.true(created.every(({ node, status }) => node === 'n2' && status === 'available'));
    t.is((await backendsOf(store).lookup('full@fake')).allocatedBytes, 0);
    t.is((await backendsOf(store).lookup('n2@fake')).allocatedBytes, 20 * gib);
    t.deepEqual(await disagreements(store, [{ node: 'full', volumes: await full.listVolumes() }]), []);
  },
);

test.serial('a volume that no backend can take leaves nothing behind where somebody waits for it', async (t) => {
  for (const name of ['n1', 'n2', 'n3']) {
    await cluster.node(name, rarely, { driver: new OptimisticDriver({ totalBytes: 0 }) });
  }
  const commands = await cluster.commands();
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoSpace' });
  t.is(await store.redis.zcard(store.keys.volumes()), 0);
  t.deepEqual(await disagreements(store, []), []);
});

test.serial('a creation for which nobody waits says in its record that there was no space', async (t) => {
  const node = await cluster.node('n1', rarely, { driver: new OptimisticDriver({ totalBytes: 0 }) });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume);
  await until(async () => (await node.getVolume(id)).status === 'error', 'the volume is in error');
  t.is((await node.getVolume(id)).fault?.code, 'NoSpace');
  await commands.delete(id, deadline);
  t.deepEqual(await Array.fromAsync(node.all()), []);
  t.is((await backendsOf(store).lookup('n1@fake')).allocatedBytes, 0);
});

test.serial('a volume without an address on a full node is placed on another one', async (t) => {
  const shelf = { ...rarely, first_shelf_id: '1', last_shelf_id: '1', slots_per_shelf: '2' };
  await cluster.node('n1', shelf, { target: new FakeTarget() });
  await cluster.node('n2', rarely, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const created = await Promise.all(Array.from({ length: 12 }, () => commands.create(newVolume, deadline)));
  t.true(created.every(({ status }) => status === 'available'));
  t.true(created.filter(({ node }) => node === 'n1').length <= 2);
  t.is(new Set(created.map(({ address }) => address)).size, 12);
});

test.serial('a pinned volume is placed nowhere else, also after a crash and a hand-back', async (t) => {
  const refusing = new FaultyDriver(new FakeDriver());
  await cluster.node('n2', rarely);
  const commands = await cluster.commands();
  const pinned = { ...newVolume, node: 'n1' };

  const first = await cluster.node('n1', rarely, { driver: refusing });
  refusing.failOnce('createVolume', errors.noSpace('the pool', gib, 0));
  await t.throwsAsync(commands.create(pinned, deadline), { code: 'NoSpace' });
  t.is(await store.redis.zcard(store.keys.volumes()), 0);

  const release = refusing.holdOnce('createVolume');
  const { id } = await commands.create(pinned);
  const stopping = first.stop(); // as a crash would: the creation is resumed by the next daemon
  release();
  await stopping;
  const again = new FaultyDriver(new FakeDriver());
  again.failOnce('createVolume', errors.noSpace('the pool', gib, 0));
  const { id: other } = await insertPinned();
  await cluster.node('n1', rarely, { driver: again });
  await until(async () => (await volumesOf(store).lookup(other)).status === 'error', 'it ends on its node');
  t.like(await volumesOf(store).lookup(other), { node: 'n1', fault: { code: 'NoSpace' } });
  t.is((await volumesOf(store).lookup(id)).node, 'n1');

  /** Its command was lost with the daemon. */
  async function insertPinned(): Promise<{ id: string }> {
    const lease = await fakeNode(store, 'n1', { backends: [{}] });
    const volume = await commands.create({ ...pinned, id: randomUUID() });
    await store.redis.del(store.keys.topic('volume.n1'));
    await lease.release();
    return volume;
  }
});

test.serial('the audit corrects a wrong counter of allocated bytes, and placement uses it', async (t) => {
  await cluster.node('n1', rarely, { driver: new FakeDriver({ totalBytes: 2 * gib }) });
  const commands = await cluster.commands();
  await commands.create(newVolume, deadline);
  await store.redis.hset(store.keys.backend('n1@fake'), 'allocatedBytes', String(2 * gib));
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoSpace' });
  const { findings } = await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, { 0: { object: 'backend n1@fake', fixed: true } });
  t.is((await commands.create(newVolume, deadline)).status, 'available');
});

test.serial('volumes spread over backends by their free space', async (t) => {
  await fakeNode(store, 'n1', { backends: [{ capacityBytes: 1000 * gib }] });
  await fakeNode(store, 'n2', { backends: [{ capacityBytes: 3000 * gib }] });
  const commands = await cluster.commands();
  const created = await Promise.all(Array.from({ length: 400 }, () => commands.create({ ...newVolume, size: 0 })));
  const share = created.filter(({ node }) => node === 'n2').length / 400;
  t.true(share > 0.6 && share < 0.9, `${share} of them on three quarters of the space`);
});

test.serial('a volume carries the availability zone of its node, and its labels say whose it is', async (t) => {
  const driver = new LoggingDriver();
  await cluster.node('n1', { ...rarely, storage_availability_zone: 'east' }, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const { availabilityZone, createTime } = await commands.create({ ...newVolume, name: 'data' }, deadline);
  t.is(availabilityZone, 'east');
  const created = String(createTime);
  const labels = { user: 'user', project: 'project', size: '1', name: 'data', address: 'e1.0', created };
  t.is(driver.logsLike('createVolume', { labels }).length, 1);
});
