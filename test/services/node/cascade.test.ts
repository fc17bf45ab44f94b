import { randomUUID } from 'node:crypto';
import test from 'ava';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { deleteWithSnapshots } from '../../../lib/client/cascade.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { Cluster } from '../../support/cluster.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { until } from '../../support/until.ts';

const owner = { userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let client: ClusterCommands;
let fake: FakeDriver;
let driver: FaultyDriver;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  fake = new FakeDriver();
  driver = new FaultyDriver(fake);
  const store = await cluster.store();
  client = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.afterEach.always(() => cluster.close());

async function withSnapshots(count: number): Promise<string> {
  const { id } = await client.commands.create({ ...owner, size: 1 }, deadline);
  for (let made = 0; made < count; made += 1) await client.snapshots.create(id, owner, deadline);
  return id;
}

/** Once its lease has expired. */
async function nodeIsLost(): Promise<void> {
  await until(async () => {
    try {
      await declareLost(client.store, 'n1', { topic: 'volume' });
      return true;
    } catch {
      return false;
    }
  }, 'declared lost');
}

async function statuses(volume: string): Promise<string[]> {
  const { store } = client;
  const found = [];
  for await (const { status } of snapshotsOf(store).iterate(store.keys.volumeSnapshots(volume))) found.push(status);
  return found;
}

test.serial(
  'a volume is deleted with its snapshots by one command, which continues without the requester',
  async (t) => {
    await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
    const id = await withSnapshots(3);
    const release = driver.holdOnce('deleteVolume');
    await deleteWithSnapshots(client, id, { excessMs: 60_000 });
    t.deepEqual(await statuses(id), ['deleting', 'deleting', 'deleting']);
    await until(() => driver.isHeld('deleteVolume'), 'the volume is removed');
    t.deepEqual(await fake.snapshots.listSnapshots(), []);
    release();
    await until(async () => (await volumesOf(client.store).find(id)) === undefined, 'deleted');
    t.deepEqual(await statuses(id), []);
    t.is(await snapshotsOf(client.store).count(client.store.keys.snapshots()), 0);
  },
);

test.serial('snapshots of a deletion that fails say so, and the deletion can be repeated', async (t) => {
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
  const id = await withSnapshots(2);
  driver.failOnce('deleteVolume', errors.invalidArgument('label', 'x', 'one'));
  await t.throwsAsync(client.commands.delete(id, { ...deadline, withSnapshots: true }), { code: 'InvalidArgument' });
  t.like(await volumesOf(client.store).lookup(id), { status: 'error_deleting', deletesSnapshots: false });
  t.deepEqual(await statuses(id), ['error_deleting', 'error_deleting']);
  await t.throwsAsync(client.commands.delete(id, deadline), { code: 'VolumeHasSnapshots' });
  await client.commands.delete(id, { ...deadline, withSnapshots: true });
  t.deepEqual(await statuses(id), []);
});

test.serial('nothing is deleted of a volume in use, or with a snapshot that is being read', async (t) => {
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
  const { store, commands } = client;
  const id = await withSnapshots(2);
  const [snapshot = ''] = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(id), '0', '0'));
  const cascade = () => commands.delete(id, { ...deadline, withSnapshots: true });
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(cascade(), { code: 'VolumeAttached' });
  await commands.detach(id, deadline);
  const job = { kind: 'backup', snapshot, volume: id, node: 'n1', target: id };
  await commit(store, { edits: [{ kind: 'job', id, insert: true, set: job, stamp: ['createTime'] }] });
  await t.throwsAsync(cascade(), { code: 'SnapshotIsCopied', message: new RegExp(snapshot) });
  t.deepEqual(await statuses(id), ['available', 'available']);
  await commit(store, { edits: [{ kind: 'job', id, remove: true }] });
  await cascade();
});

test.serial('a node that was down deletes a volume with its snapshots when it starts', async (t) => {
  const first = await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
  const id = await withSnapshots(2);
  await first.stop();
  await client.commands.delete(id, { withSnapshots: true });
  t.like(await volumesOf(client.store).lookup(id), { status: 'deleting', deletesSnapshots: true });
  await cluster.node('n1', {}, { driver: fake });
  await until(async () => (await volumesOf(client.store).find(id)) === undefined, 'deleted');
  t.is(await snapshotsOf(client.store).count(client.store.keys.snapshots()), 0);
  t.deepEqual(await fake.snapshots.listSnapshots(), []);
});

test.serial('a deletion that was under way on a lost node leaves no record of a snapshot', async (t) => {
  const node = await cluster.node('n1', { report_interval: '1', node_down_time: '3' }, { driver });
  const id = await withSnapshots(2);
  await node.stop();
  await client.commands.delete(id, { withSnapshots: true });
  await nodeIsLost();
  t.is(await volumesOf(client.store).find(id), undefined);
  t.is(await snapshotsOf(client.store).count(client.store.keys.snapshots()), 0);
  await cluster.node('n1', {}, { driver: fake });
  await until(async () => (await fake.listVolumes()).length === 0, 'its storage is removed');
  t.deepEqual(await fake.snapshots.listSnapshots(), []);
});

test.serial('more snapshots than one change takes stay with a reserved volume, and go with one in error', async (t) => {
  const { store, commands, attachments } = client;
  const node = await cluster.node('n1', { report_interval: '1', node_down_time: '3' }, { driver });
  const { id } = await commands.create({ ...owner, size: 1 }, deadline);
  const set = { ...owner, volume: id, size: '1', status: 'available' };
  const count = 201;
  await commit(store, {
    edits: Array.from({ length: count }, () => ({
      kind: 'snapshot',
      id: randomUUID(),
      insert: true,
      set,
      stamp: ['createTime'],
    })),
  });
  await attachments.reserve(id, { instanceId: 'i-1' });
  const cascade = () => deleteWithSnapshots(client, id, { ...deadline, excessMs: 60_000 });
  await t.throwsAsync(cascade(), { code: 'VolumeReserved' });
  t.is((await statuses(id)).length, count);
  await node.stop();
  await nodeIsLost();
  t.like(await volumesOf(store).lookup(id), { status: 'error', attachStatus: 'detached' });
  await cascade();
  t.is(await volumesOf(store).find(id), undefined);
  t.deepEqual(await statuses(id), []);
});
