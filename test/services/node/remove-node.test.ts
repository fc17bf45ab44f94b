import { randomUUID } from 'node:crypto';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { BlockstoreError } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** A node that was removed leaves nothing in Redis. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project', node: 'n1' };
const deadline = { deadlineMs: 20_000 };
const topic = { topic: 'volume' };
const noQuarantine = { address_quarantine: '0' };

test.serial('a node is removed when it is stopped and has no volumes, and leaves no key and no shelf', async (t) => {
  const backend = { driver: new FakeDriver(), target: new FakeTarget() };
  const node = await cluster.node('n1', noQuarantine, backend);
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'NodeUp', message: /can be removed$/ });
  await node.stop();
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'NodeHasVolumes' });
  const again = await cluster.node('n1', noQuarantine, backend);
  await commands.delete(id, deadline);
  await again.stop();
  t.like(await lookupNode(store, 'n1'), { state: 'stopped', shelves: [1] });

  await removeNode(store, 'n1', topic);
  t.deepEqual(await store.redis.keys('*n1*'), []);
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
  t.deepEqual(await disagreements(store, []), []);
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'NodeNotFound' });
});

/** A lost node whose only volume, at e1.0, was deleted while it was lost; its driver still has the storage. */
async function lostNode(quarantineS = '0'): Promise<FakeDriver> {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', { address_quarantine: quarantineS }, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await commands.delete(id, deadline);
  return driver;
}

test.serial('a lost node whose volumes were deleted is removed; its shelves are free', async (t) => {
  await lostNode();
  await removeNode(store, 'n1', topic);
  await t.throwsAsync(lookupNode(store, 'n1'), { code: 'NodeNotFound' });
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'NodeNotFound' });
});

test.serial('a node that returns after its removal removes the storage of deleted volumes', async (t) => {
  const driver = await lostNode();
  await removeNode(store, 'n1', topic);
  t.is((await driver.listVolumes()).length, 1);
  const target = new FakeTarget();
  const otherDriver = new FakeDriver();
  await cluster.node('n2', {}, { driver: otherDriver, target });
  const commands = await cluster.commands();
  const { id, address } = await commands.create({ ...newVolume, node: 'n2' }, deadline);
  t.is(address, 'e1.0', 'another node owns the shelf now');

  await cluster.node('n1', {}, { driver, target: new FakeTarget() });
  await until(async () => (await driver.listVolumes()).length === 0, 'the storage is removed');
  await until(async () => (await agreement(driver, otherDriver)).length === 0, 'everything agrees').catch(async () => {
    t.deepEqual(await agreement(driver, otherDriver), []);
  });
  t.like(await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline), { address: 'e1.0' });
});

test.serial('the error for a node with volumes names what is left to do', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', noQuarantine, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  const refusal = () => t.throwsAsync(removeNode(store, 'n1', topic), { instanceOf: BlockstoreError });
  t.like(await refusal(), { code: 'NodeHasVolumes', message: 'node n1 still has 1 volume' });
  t.regex((await refusal()).hint ?? '', /volume list --node n1; if the node never returns: blockstore node lost n1/);
  await declareLost(store, 'n1', { topic: 'volume' });
  t.like(await refusal(), { code: 'NodeHasVolumes', hint: 'delete them first: blockstore volume list --node n1' });
  await commands.delete(id, deadline);
  // A daemon that acquired the name and ended before it had the deleted volumes again.
  await store.redis.hdel(store.keys.node('n1'), 'lost');
  t.like(await refusal(), { code: 'NodeHasVolumes', message: 'node n1 still has the storage of deleted volumes' });
  t.regex(
    (await refusal()).hint ?? '',
    /^start blockstored on it, .*; if the node never returns: blockstore node lost n1$/,
  );
});

test.serial('a node is not removed while an address of it is in quarantine', async (t) => {
  const node = await cluster.node('n1', {}, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  await node.stop();
  await t.throwsAsync(removeNode(store, 'n1', topic), {
    code: 'AddressesQuarantined',
    message: /^addresses of node n1 are in quarantine for another (600|5\d\d) s: /,
  });
  t.like(await lookupNode(store, 'n1'), { state: 'stopped', shelves: [1] });
  t.deepEqual(await store.redis.zrange(store.keys.quarantine('n1'), '0', '-1'), [address]);
  await store.redis.zincrby(store.keys.quarantine('n1'), -600_000, address); // ten minutes pass
  await removeNode(store, 'n1', topic);
  t.deepEqual(await store.redis.keys('*n1*'), []);
});

test.serial('a lost node is not removed while the address of a volume deleted since is in quarantine', async (t) => {
  await lostNode('5');
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'AddressesQuarantined' });
  const isRemoved = async () => {
    await removeNode(store, 'n1', topic);
    return true;
  };
  await until(isRemoved, 'the quarantine is over', 20_000);
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
});

async function agreement(one: FakeDriver, other: FakeDriver): Promise<string[]> {
  return disagreements(store, [
    { node: 'n1', volumes: await one.listVolumes() },
    { node: 'n2', volumes: await other.listVolumes() },
  ]);
}

test.serial('a removal that ended half-way is completed by the next', async (t) => {
  const node = await cluster.node('n1', noQuarantine, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  await node.stop();
  await store.redis.del(store.keys.node('n1'));
  await t.throwsAsync(removeNode(store, 'n1', topic), { code: 'NodeNotFound' });
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
  t.is(await store.redis.exists(store.keys.quarantine('n1')), 0);
});

test.serial('a lost node with snapshots is removed once its volumes are deleted with them', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', noQuarantine, { driver, target: new FakeTarget() });
  const commands = await cluster.commands();
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id } = await commands.create(newVolume, deadline);
  const owner = { userId: 'user', projectId: 'project' };
  const made = await Promise.all([1, 2].map(() => snapshots.create(id, owner, deadline).catch(() => undefined)));
  const snapshot = made.find((one) => one !== undefined);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await t.throwsAsync(snapshots.delete(snapshot?.id ?? '', deadline), { code: 'NodeLost' });
  await t.throwsAsync(commands.delete(id, deadline), { code: 'VolumeHasSnapshots' });
  await commands.delete(id, { ...deadline, withSnapshots: true });
  t.is(await store.redis.zcard(store.keys.snapshots()), 0);
  await removeNode(store, 'n1', topic);
  t.true((await driver.snapshots.listSnapshots()).length > 0);

  await cluster.node('n1', noQuarantine, { driver, target: new FakeTarget() });
  await until(async () => (await driver.listVolumes()).length === 0, 'the storage is removed');
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
  await until(async () => (await agreement(driver, new FakeDriver())).length === 0, 'everything agrees').catch(
    async () => {
      t.deepEqual(await agreement(driver, new FakeDriver()), []);
    },
  );
});

for (const status of ['error', 'deleting'] as const) {
  test.serial(`a snapshot that was half made when its node was lost goes with its volume: ${status}`, async (t) => {
    const driver = new FakeDriver();
    const node = await cluster.node('n1', noQuarantine, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await node.stop();
    const half = randomUUID();
    const volume = { id, size: 1, sizeBytes: 2 ** 30, labels: {} };
    await driver.snapshots.createSnapshot({ id: half, volume, labels: {} });
    const list = driver.snapshots.listSnapshots.bind(driver.snapshots);
    driver.snapshots.listSnapshots = async () => (await list()).filter((one) => one.id !== half);
    const set = { volume: id, size: '1', status, userId: 'user', projectId: 'project', createTime: '1' };
    await commit(store, { edits: [{ kind: 'snapshot', id: half, insert: true, set }] });
    await declareLost(store, 'n1', { topic: 'volume' });
    await commands.delete(id, { ...deadline, withSnapshots: true });

    await cluster.node('n1', noQuarantine, { driver });
    await until(async () => (await driver.listVolumes()).length === 0, 'the storage is removed');
    t.deepEqual(await list(), []);
  });
}

test.serial('more snapshots than a change set removes go with their volume as well', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', noQuarantine, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  const edits = Array.from({ length: 450 }, (_, number) => ({
    kind: 'snapshot' as const,
    id: randomUUID(),
    insert: true as const,
    set: {
      volume: id,
      size: '1',
      status: 'available',
      userId: 'user',
      projectId: 'project',
      createTime: String(number),
    },
  }));
  for (const edit of edits) await commit(store, { edits: [edit] });
  await declareLost(store, 'n1', { topic: 'volume' });
  await commands.delete(id, { ...deadline, withSnapshots: true });
  t.is(await store.redis.zcard(store.keys.snapshots()), 0);
});
