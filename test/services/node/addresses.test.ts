import { join } from 'node:path';
import test from 'ava';
import { type VolumeSpec, differInLabels } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { claimShelf } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { FakeProxy } from '../../redis/fake-proxy.ts';
import { Addresses } from '../../../services/node/addresses.ts';
import type { NodeLease } from '../../../services/node/lease.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { fakeNode, loseRecord } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Addresses as nodes allocate them, also where Redis loses what it had, and never two volumes with one address. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
/** Nodes report so rarely that none compares its records with its storage before the next creation. */
const rarely = { report_interval: '600', node_down_time: '3000' };
/** The addresses of a node without targets. */
async function loaded(store: Store, lease: NodeLease, quarantineMs = 0): Promise<Addresses> {
  const shelves = { first: 1, last: 9, slots: 16 };
  const addresses = new Addresses({ store, lease, targets: () => [], shelves, quarantineMs });
  await addresses.load();
  return addresses;
}

const oneShelf = { first_shelf_id: '1', last_shelf_id: '1' };

test.serial('the address of a volume whose record was lost is given to no other', async (t) => {
  await cluster.node('n1', rarely, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const made = await until(() => commands.create(newVolume, deadline), 'a volume is created');
  await restore();
  const other = await until(() => commands.create(newVolume, deadline), 'another is created');
  t.is(made.address, 'e1.0');
  t.not(other.address, 'e1.0');
});

test.serial('an address is not reused after FLUSHALL on a live connection', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const made = await commands.create(newVolume, deadline);
  await store.redis.flushall();
  const other = await until(() => commands.create(newVolume, deadline), 'another is created');
  t.not(other.address, 'e1.0');
  await until(async () => (await node.getVolume(made.id)).address === 'e1.0', 'the first has its record again');
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test.serial('a freed address is in quarantine, also for the next daemon of its node', async (t) => {
  const target = new FakeTarget();
  const flags = { ...oneShelf, slots_per_shelf: '2' };
  const commands = await cluster.commands();
  const node = await cluster.node('n1', flags, { target });
  const { id, address } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  await node.stop();
  const again = await cluster.node('n1', flags, { target });
  const other = await commands.create(newVolume, deadline);
  t.deepEqual([address, other.address], ['e1.0', 'e1.1']);
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoMoreVolumes' });
  await again.stop();
  await cluster.node('n1', { ...flags, address_quarantine: '0' }, { target });
  t.is((await commands.create(newVolume, deadline)).address, 'e1.0', 'without a quarantine it is free');
});

test.serial('quarantine entries whose time is over leave Redis', async (t) => {
  await cluster.node('n1', { address_quarantine: '1' }, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  t.deepEqual(await redis.zrange(keys.quarantine('n1'), '0', '-1'), ['e1.0']);
  await until(async () => (await redis.zcard(keys.quarantine('n1'))) === 0, 'the entry is gone');
});

test.serial('a volume whose shelf another node has got is attached at another address', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id, address } = await commands.create(newVolume, deadline);
  t.is(address, 'e1.0');
  await before.stop();
  await store.redis.flushall();
  const other = await fakeNode(store, 'n2');
  t.like(await claimShelf(store, { ...other.token, first: 1, last: 9 }), { shelf: 1 });
  const node = await cluster.node('n1', { ...rarely, export_unattached: 'true' }, { driver, target });
  t.false(target.exports.has(id), 'it is not exported on the shelf of another node');
  const attached = await commands.attach(id, attachment, deadline);
  t.is(attached.address, 'e2.0');
  t.like(target.exports.get(id), { address: 'e2.0' });
  t.like(await node.getVolume(id), { address: 'e2.0', status: 'in-use' });
  t.is((await driver.listVolumes())[0]?.labels['address'], 'e2.0');
});

/** As LVM has it: volumes with other labels do not count. */
class LabelledDriver extends FakeDriver {
  override async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = (await this.listVolumes()).find(({ id }) => id === volume.id);
    return found !== undefined && !differInLabels(found.labels, volume.labels);
  }
}

test.serial('a volume on the shelf of another node loses that address with its last attachment', async (t) => {
  const driver = new LabelledDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await before.stop();
  await store.redis.flushall();
  const other = await fakeNode(store, 'n2');
  t.like(await claimShelf(store, { ...other.token, first: 1, last: 9 }), { shelf: 1 });
  const node = await cluster.node('n1', rarely, { driver, target });
  t.like(await node.getVolume(id), { address: 'e1.0', status: 'in-use' }, 'its host uses it');
  t.is((await commands.detach(id, deadline)).address, '');
  t.false('address' in ((await driver.listVolumes())[0]?.labels ?? {}));
  t.is((await commands.attach(id, attachment, deadline)).address, 'e2.0');
});

test.serial('a host is let in only at the address at which it has removed its devices', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await before.stop();
  await store.redis.hset(store.keys.shelfOwners(), '1', 'n2');
  const node = await cluster.node('n1', rarely, { driver, target });
  const here = { ...attachment, hostId: '0123456789abcdef0123456789abcdef' };
  await t.throwsAsync(commands.attach(id, here, deadline), {
    code: 'AddressChanged',
    message: `volume ${id} was not attached: its address is now e2.0, not e1.0`,
  });
  t.deepEqual(target.specs, []);
  t.like(await node.getVolume(id), { address: 'e2.0', status: 'error_attaching', attachStatus: 'detached' });
  t.is((await commands.attach(id, here, deadline)).address, 'e2.0');
  await commands.detach(id, deadline);
});

test.serial('a host without a machine id is let in only at an address that it has examined', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id, address } = await commands.create(newVolume, deadline);
  await before.stop();
  await store.redis.hset(store.keys.shelfOwners(), '1', 'n2');
  await cluster.node('n1', rarely, { driver, target });
  await t.throwsAsync(commands.attach(id, attachment, { ...deadline, examined: address }), {
    code: 'AddressChanged',
    message: `volume ${id} was not attached: its address is now e2.0, not e1.0`,
  });
  t.deepEqual(target.specs, []);
  t.is((await commands.attach(id, attachment, { ...deadline, examined: 'e2.0' })).address, 'e2.0');
});

test.serial(
  'a host that looked before the volume had its address is not let in until it has looked there',
  async (t) => {
    const target = new FakeTarget();
    const node = await cluster.node('n1', rarely, { driver: new FakeDriver(), target });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await t.throwsAsync(commands.attach(id, attachment, { ...deadline, examined: '' }), {
      code: 'AddressChanged',
      message: `volume ${id} was not attached: its address is now e1.0`,
    });
    t.deepEqual(target.specs, []);
    t.like(await node.getVolume(id), { status: 'available', attachStatus: 'detached' });
    t.like(await commands.attach(id, attachment, { ...deadline, examined: 'e1.0' }), { attachStatus: 'attached' });
  },
);

for (const hours of [1, -1]) {
  test.serial(`a Redis whose clock differs by ${hours} h ends no quarantine, and makes none longer`, async (t) => {
    const store = await cluster.store();
    const addresses = await loaded(store, await fakeNode(store, 'n1'), 600_000);
    t.is(await addresses.allocate({ id: 'first', address: '' }), 'e1.0');
    addresses.pool.release('first');
    await addresses.restore();
    const real = store.redis.time.bind(store.redis);
    const time = async () => {
      const [seconds = 0, micros = 0] = (await real()).map(Number);
      return [seconds + hours * 3600, micros];
    };
    Object.assign(store.redis, { time });
    await addresses.refill();
    t.is(await addresses.allocate({ id: 'second', address: '' }), 'e1.1');
    await addresses.trimQuarantine();
    await addresses.restore();
    t.is(await store.redis.zcard(store.keys.quarantine('n1')), 1);
    const next = await loaded(store, await fakeNode(store, 'n1'), 600_000);
    for (const one of [addresses, next]) {
      const age = performance.now() - (one.pool.quarantined[0]?.[1] ?? Infinity);
      t.true(age >= 0 && age < 120_000, `${age}`);
    }
  });
}

test.serial('a node does not forget that a shelf is another one’s', async (t) => {
  const store = await cluster.store();
  const [lease, other] = [await fakeNode(store, 'n1'), await fakeNode(store, 'n2')];
  await claimShelf(store, { ...other.token, first: 1, last: 9 });
  const addresses = await loaded(store, lease);
  addresses.pool.use('volume', 'e1.0');
  await addresses.refill();
  t.deepEqual(addresses.problems, ['AoE shelf 1 has volumes of this node and belongs to node n2']);
  addresses.pool.release('volume'); // to be restored with another address, which fails
  await addresses.restore();
  t.deepEqual(addresses.problems, []);
  t.false(await addresses.isOwn('e1.0'));
  t.is(await addresses.allocate({ id: 'volume', address: 'e1.0' }), 'e2.0');
});

test.serial('no address is given out while it is not known which shelves a loss of Redis left', async (t) => {
  const store = await cluster.store();
  const [lease, other] = [await fakeNode(store, 'n1'), await fakeNode(store, 'n2')];
  const addresses = await loaded(store, lease);
  t.is(await addresses.allocate({ id: 'before', address: '' }), 'e1.0');
  await store.redis.hset(store.keys.shelfOwners(), '1', other.node);
  const refilled = addresses.refill();
  t.is(await addresses.allocate({ id: 'after', address: '' }), 'e2.0');
  await refilled;
});

test.serial('a shelf whose other owner was removed is claimed again', async (t) => {
  const store = await cluster.store();
  const [lease, other] = [await fakeNode(store, 'n1'), await fakeNode(store, 'n2')];
  await claimShelf(store, { ...other.token, first: 1, last: 9 });
  const addresses = await loaded(store, lease);
  addresses.pool.use('volume', 'e1.0');
  await addresses.refill();
  await addresses.restore();
  t.is(addresses.ownerOf('e1.0'), 'n2');
  await store.redis.hdel(store.keys.shelfOwners(), '1');
  await addresses.restore();
  t.is(addresses.ownerOf('e1.0'), undefined);
  t.is(await store.redis.hget(store.keys.shelfOwners(), '1'), 'n1');
});

test.serial('a shelf whose claim was not answered is used, and no further one is claimed', async (t) => {
  const proxy = await FakeProxy.start(join(cluster.directory, 'proxy.sock'), cluster.server.socket);
  t.teardown(() => proxy.stop());
  const connection = await connect(loadFlags({ embedded: { redis_url: proxy.url } }).flags, silentLog);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'blockstore');
  const lease = await fakeNode(store, 'n1');
  const addresses = await loaded(store, lease);
  await claimShelf(store, { ...lease.token, first: 1, last: 9, shelf: 9 }); // now Redis knows the script
  addresses.pool.own(9);
  for (let slot = 0; slot < 16; slot += 1) addresses.pool.use(`volume ${slot}`, `e9.${slot}`);
  proxy.arm('cut');
  await t.throwsAsync(addresses.allocate({ id: 'volume', address: '' }));
  t.is(proxy.count, 1);
  const address = await until(() => addresses.allocate({ id: 'volume', address: '' }), 'Redis is reachable again');
  t.is(address, 'e1.0');
  t.deepEqual(await store.redis.hkeys(store.keys.shelfOwners()), ['9', '1']);
});

test.serial('where another node has the only shelf, the refusal names that node', async (t) => {
  await cluster.node('n1', oneShelf, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const other = await fakeNode(store, 'n2');
  await claimShelf(store, { ...other.token, first: 1, last: 9 });
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), {
    code: 'NoMoreVolumes',
    message: /AoE shelf 1 belongs to node n2/,
  });
});

test.serial('what serves no volume on the shelf of another node names that node', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', {}, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await before.stop();
  await store.redis.hset(store.keys.shelfOwners(), '1', 'n2');
  await cluster.node('n1', {}, { driver, target });
  const { problems } = await lookupNode(store, 'n1');
  t.true(problems.includes(`volume ${id} is not exported at e1.0: the shelf belongs to node n2`), problems.join('\n'));
});

test.serial('an attach that fails records the address that the volume has since', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const { id } = await commands.create(newVolume, deadline);
  await before.stop();
  await store.redis.hset(store.keys.shelfOwners(), '1', 'n2');
  const node = await cluster.node('n1', { ...rarely, num_shell_tries: '1' }, { driver, target });
  target.exportFault = errors.exportFailed(id, 'it is broken');
  await t.throwsAsync(commands.attach(id, attachment, deadline), { code: 'ExportFailed' });
  t.is((await node.getVolume(id)).address, 'e2.0');
});

test.serial('a volume that is created again keeps its address', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const node = await cluster.node('n1', { max_operations: '1' }, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const release = driver.holdOnce('createVolume');
  await commands.create(newVolume);
  const { id } = await commands.create(newVolume); // waits for the first
  const restore = await cluster.server.keepCopy();
  const made = () =>
    until(async () => {
      const volume = await node.getVolume(id);
      return volume.status === 'available' && volume.address;
    }, 'it is created');
  release();
  const before = await made();
  await restore();
  t.is(await made(), before);
});

test.serial('storage with the address of another volume gets a record with another address', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const store = await cluster.store();
  const [one, other] = [await commands.create(newVolume, deadline), await commands.create(newVolume, deadline)];
  await before.stop();
  await loseRecord(store, other.id);
  const labels = { user: 'user', project: 'project', size: '1', address: one.address };
  await driver.createVolume({ id: other.id, size: 1, sizeBytes: 2 ** 30, labels });
  const spec = { id: one.id, size: 1, sizeBytes: 2 ** 30, labels };
  await driver.deleteVolume(spec); // it is listed after the other then
  await driver.createVolume(spec);
  const node = await cluster.node('n1', rarely, { driver, target });
  t.is((await node.getVolume(one.id)).address, one.address);
  t.not((await node.getVolume(other.id)).address, one.address);
  await commands.attach(other.id, attachment, deadline);
  t.not((await node.getVolume(other.id)).address, one.address);
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test.serial('records decide about addresses where labels on storage are out of date', async (t) => {
  const backend = { driver: new FakeDriver(), target: new FakeTarget() };
  const before = await cluster.node('n1', rarely, backend);
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const [one, other] = [await commands.create(newVolume, deadline), await commands.create(newVolume, deadline)];
  await before.stop();
  await redis.hset(keys.volume(one.id), 'address', other.address);
  await redis.hset(keys.volume(other.id), 'address', 'e1.5');
  await cluster.node('n1', rarely, backend);
  const created = await Promise.all([1, 2, 3].map(() => commands.create(newVolume, deadline)));
  t.deepEqual(created.map(({ address }) => address).toSorted(), ['e1.0', 'e1.2', 'e1.3']);
});

test.serial('the address of a volume that is being created is given to no other where Redis forgets it', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const target = new FakeTarget();
  // Reports, or a command that is lost with the connection would wait for the next one.
  await cluster.node('n1', { ...rarely, report_interval: '2', export_unattached: 'true' }, { driver, target });
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const release = driver.holdOnce('createVolume');
  await until(() => commands.create(newVolume), 'a volume is requested');
  await until(() => driver.isHeld('createVolume'), 'its storage is being made');
  await restore();
  const other = await until(() => commands.create(newVolume, deadline), 'another is created');
  t.not(other.address, 'e1.0');
  release();
  await until(async () => (await driver.listVolumes()).length >= 2, 'both are on storage');
  await commands.delete(other.id, deadline);
  t.true(target.specs.filter(({ address }) => address === other.address).every(({ id }) => id === other.id));
});
