import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { moveTo, takeOver } from '../../../lib/client/take-over.ts';
import type { Log } from '../../../lib/log.ts';
import { silentLog } from '../../../lib/log.ts';
import type { BackendReport } from '../../../lib/models/backend.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { editOf, removedAttachment } from '../../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit, releaseLease } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { NodeLease } from '../../../services/node/lease.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { fakeNode, insertVolume, taskText } from '../../support/records.ts';
import { SharedDriver } from '../../support/shared-driver.ts';
import { until } from '../../support/until.ts';

/** Volumes on storage that several nodes reach are served by another node when theirs is gone, and never by two. */

let cluster: Cluster;
let store: Store;
let driver: SharedDriver;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new SharedDriver();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

/** Records of the node n1 on the shared storage, without a daemon. */
function goneNode(backend: Partial<BackendReport> = {}): Promise<NodeLease> {
  return fakeNode(store, 'n1', { backends: [{ shared: 'fake:pool', ...backend }] });
}

async function lapse(node = 'n1'): Promise<void> {
  await store.redis.del(store.keys.lease(node));
}

/** A volume of n1 with its storage. */
async function volumeOfGone(fields: Record<string, string> = {}): Promise<VolumeState> {
  const volume = await insertVolume(store, { status: 'available', availabilityZone: 'nova', ...fields });
  const labels = { user: 'user', project: 'project', size: '1', created: String(volume.createTime) };
  await driver.createVolume({ id: volume.id, size: 1, sizeBytes: 2 ** 30, labels });
  return volume;
}

const attachedFields = { status: 'in-use', attachStatus: 'attached', instanceId: 'i-1' };

async function allocated(): Promise<number[]> {
  const { states } = await backendsOf(store).readAll(['n1@fake', 'n2@fake']);
  return states.map(({ allocatedBytes }) => allocatedBytes / 2 ** 30);
}

async function agreement(node = 'n2'): Promise<string[]> {
  return disagreements(store, [{ node, volumes: await driver.listVolumes() }]);
}

test.serial('a volume of a node that is gone is attached through another node on the same storage', async (t) => {
  await goneNode();
  const { id } = await volumeOfGone({ name: 'data' });
  await cluster.node('n2', {}, { driver });
  const commands = await cluster.commands();
  t.like(await lookupNode(store, 'n2'), { problems: [] }, 'volumes of other nodes on the storage are no problem');
  t.deepEqual(await allocated(), [1, 0]);
  await lapse();
  t.like(await commands.attach(id, attachment, deadline), { node: 'n2', status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await allocated(), [0, 1]);
  t.like(await commands.detach(id, deadline), { node: 'n2', status: 'available', name: 'data' });
  t.deepEqual(await agreement(), []);
});

test.serial('attached volumes are detached, and unattached ones deleted, through another node', async (t) => {
  await goneNode();
  const attached = await volumeOfGone(attachedFields);
  const deleted = await volumeOfGone();
  await cluster.node('n2', {}, { driver });
  const commands = await cluster.commands();
  await lapse();
  t.like(await commands.detach(attached.id, deadline), { node: 'n2', attachStatus: 'detached' });
  await commands.delete(deleted.id, deadline);
  t.deepEqual(
    (await driver.listVolumes()).map(({ id }) => id),
    [attached.id],
  );
  t.deepEqual(await agreement(), []);
});

test.serial(
  'a volume stays with a node that is up, has just stopped, or shares its storage with no other',
  async (t) => {
    const lease = await goneNode();
    const volume = await volumeOfGone();
    const other = await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
    t.false(await takeOver(store, volume, 'volume'), 'it is up');
    await releaseLease(store, lease.token);
    t.false(await takeOver(store, volume, 'volume'), 'it has just stopped');
    await store.redis.hset(store.keys.node('n1'), 'stopTime', String(Date.now() - 61_000));
    for (const backend of [{ shared: 'fake:other' }, { shared: '' }, { shared: 'fake:pool', problem: 'broken' }]) {
      await releaseLease(store, other.token);
      await fakeNode(store, 'n2', { backends: [backend] });
      t.false(await takeOver(store, volume, 'volume'), JSON.stringify(backend));
    }
    await fakeNode(store, 'n3', { backends: [{ shared: 'fake:pool' }] });
    await lapse('n3');
    t.false(await takeOver(store, volume, 'volume'), 'the other one is down');
    await fakeNode(store, 'n3', { backends: [{ shared: 'fake:pool' }] });
    t.true(await takeOver(store, volume, 'volume'));
    t.is((await volumesOf(store).lookup(volume.id)).node, 'n3');
  },
);

test.serial('a request to a node that is gone waits for it where no other node has its storage', async (t) => {
  await goneNode();
  const { id } = await volumeOfGone();
  await lapse();
  const commands = await cluster.commands();
  t.like(await commands.attach(id, attachment), { node: 'n1', attachStatus: 'attaching' });
});

test.serial(
  'a volume that is taken over is examined: without storage it is in error, whatever its task was',
  async (t) => {
    await goneNode();
    const fields = { ...attachedFields, attachStatus: 'detaching', task: taskText('detach') };
    const { id } = await insertVolume(store, { availabilityZone: 'nova', ...fields });
    await lapse();
    await cluster.node('n2', {}, { driver });
    await until(async () => (await volumesOf(store).lookup(id)).status === 'error', 'it is in error');
    t.like(await volumesOf(store).lookup(id), {
      node: 'n2',
      attachStatus: 'detached',
      fault: { code: 'StorageMissing' },
    });
  },
);

test.serial('tasks of a node that is gone are continued by another node without a request', async (t) => {
  await goneNode();
  const attaching = await volumeOfGone({ ...attachedFields, attachStatus: 'attaching', task: taskText('attach') });
  const deleting = await volumeOfGone({ status: 'deleting', task: taskText('delete') });
  const creating = await insertVolume(store);
  await lapse();
  await cluster.node('n2', {}, { driver });
  await until(async () => (await volumesOf(store).lookup(attaching.id)).attachStatus === 'attached', 'it is attached');
  await until(async () => (await volumesOf(store).find(deleting.id)) === undefined, 'it is deleted');
  t.is((await volumesOf(store).lookup(attaching.id)).node, 'n2');
  t.like(
    await volumesOf(store).lookup(creating.id),
    { node: 'n1', status: 'creating' },
    'a creation waits for its node',
  );
});

test.serial('a request joins the task of a node that is gone on the node that continues it', async (t) => {
  await goneNode();
  const task = taskText('attach');
  const { id } = await volumeOfGone({ ...attachedFields, attachStatus: 'attaching', mountpoint: '/dev/vdb', task });
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  await lapse();
  const commands = await cluster.commands();
  t.like(await commands.attach(id, attachment), { node: 'n2', attachStatus: 'attaching' });
});

test.serial('the id of a volume whose deletion was taken over is free when the old node has returned', async (t) => {
  await goneNode();
  const { id } = await volumeOfGone({ status: 'deleting', task: taskText('delete') });
  await lapse();
  await cluster.node('n2', {}, { driver });
  await until(async () => (await volumesOf(store).find(id)) === undefined, 'it is deleted');
  const commands = await cluster.commands();
  await t.throwsAsync(commands.create({ ...newVolume, id }, deadline), { code: 'VolumeExists' });
  await cluster.node('n1', {}, { driver });
  await until(async () => (await store.redis.exists(store.keys.abandoned(id))) === 0, 'the old node noticed');
  await until(async () => (await volumesOf(store).find(id)) === undefined, 'it has nothing to delete');
  await commands.create({ ...newVolume, id }, deadline);
  t.deepEqual(await agreement(), []);
});

test.serial('a node that returns leaves volumes that were taken over alone', async (t) => {
  await goneNode();
  const attached = await volumeOfGone();
  const kept = await volumeOfGone();
  await cluster.node('n2', {}, { driver });
  const commands = await cluster.commands();
  await lapse();
  await commands.attach(attached.id, attachment, deadline);
  await cluster.node('n1', {}, { driver });
  await cluster.node('n3', {}, { driver });
  const nodeCommands = await cluster.nodeCommands();
  for (const node of ['n1', 'n2', 'n3']) {
    t.deepEqual((await nodeCommands.audit(node, { repair: true, remove: [] }, deadline)).findings, [], node);
    t.deepEqual((await lookupNode(store, node)).problems, [], node);
  }
  t.like(await volumesOf(store).lookup(attached.id), { node: 'n2', attachStatus: 'attached' });
  t.like(await volumesOf(store).lookup(kept.id), { node: 'n1', status: 'available' });
  t.is((await driver.listVolumes()).length, 2);
});

test.serial('a daemon that has lost its name takes nothing over', async (t) => {
  await goneNode();
  const volume = await volumeOfGone();
  const { token } = await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  await fakeNode(store, 'n2'); // another daemon
  await lapse();
  const { states } = await backendsOf(store).readAll(['n1@fake', 'n2@fake']);
  const [from, to] = states;
  if (!from || !to) throw new Error('a backend has no record');
  const topic = 'volume';
  await t.throwsAsync(moveTo(store, volume, { from, to, topic, owner: token }), { code: 'Fenced' });
  t.is(await moveTo(store, volume, { from, to, topic }), 'moved');
});

test.serial('of requests at the same time one takes the volume over', async (t) => {
  await goneNode();
  const nodes = ['n2', 'n3', 'n4'];
  for (const node of nodes) await fakeNode(store, node, { backends: [{ shared: 'fake:pool' }] });
  const volumes = await Promise.all(Array.from({ length: 20 }, () => volumeOfGone()));
  await lapse();
  const commands = [await cluster.commands(), await cluster.commands(), await cluster.commands()];
  await Promise.all(volumes.flatMap(({ id }) => commands.map((one) => one.attach(id, attachment))));
  for (const { id } of volumes) {
    const { node, task } = await volumesOf(store).lookup(id);
    t.true(nodes.includes(node));
    t.is(task?.kind, 'attach');
  }
  t.deepEqual(
    (await Promise.all(nodes.map((node) => store.redis.zcard(store.keys.tasks(node))))).reduce((sum, one) => sum + one),
    20,
  );
  t.is(await store.redis.zcard(store.keys.nodeVolumes('n1')), 0);
});

test.serial('a volume stays with a node that returns before it is moved', async (t) => {
  await goneNode();
  const volume = await volumeOfGone();
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  await lapse();
  const [moved] = await Promise.all([takeOver(store, volume, 'volume'), fakeNode(store, 'n1')]);
  t.is((await volumesOf(store).lookup(volume.id)).node, moved ? 'n2' : 'n1');
  t.false(await takeOver(store, { ...volume, node: 'n1' }, 'volume'));
});

test.serial('a change that was prepared before a volume was taken over is refused', async (t) => {
  await goneNode();
  const before = await volumeOfGone();
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  await lapse();
  t.true(await takeOver(store, before, 'volume'));
  await goneNode(); // it is back, so that nothing but the node of the record has changed
  t.is((await commit(store, { edits: [editOf(before, 'startDelete')] })).word, 'changed');
  t.like(await volumesOf(store).lookup(before.id), { node: 'n2', status: 'available' });
});

test.serial('a node that was paused changes nothing of a volume that was taken over', async (t) => {
  const held = new FaultyDriver(driver);
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (line) => void lines.push(line) };
  await cluster.node('n1', { report_interval: '5', node_down_time: '10' }, { driver: held }, { log });
  const commands = await cluster.commands();
  const { id } = await commands.create({ ...newVolume, node: 'n1' }, deadline);
  const release = held.holdOnce('ensureVolume');
  const attached = commands.attach(id, attachment, deadline);
  await until(() => held.isHeld('ensureVolume'), 'the attach is held up');
  const before = await volumesOf(store).lookup(id);
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  // As if its report were late; the next one is soon.
  await until(async () => {
    await lapse();
    return takeOver(store, before, 'volume');
  }, 'it is taken over');
  release();
  await until(async () => (await lookupNode(store, 'n1')).state === 'up', 'the old node reports again');
  t.like(await volumesOf(store).lookup(id), { node: 'n2', attachStatus: 'attaching' });
  const token = { node: 'n1', token: (await store.redis.hget(store.keys.node('n1'), 'token')) ?? '' };
  const outcome = await commit(store, { owner: token, edits: [editOf(before, 'finishAttach')] });
  t.is(outcome.word, 'changed');
  await cluster.node('n3', {}, { driver });
  await lapse('n2');
  const { node, attachStatus } = await attached;
  t.is(attachStatus, 'attached', 'the request that waited has its reply');
  t.true(['n1', 'n3'].includes(node), 'the old node may have it again');
  t.deepEqual(lines, []);
});

test.serial('a node that was paused before a removal does not remove what was taken over', async (t) => {
  const held = new FaultyDriver(driver);
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (line) => void lines.push(line) };
  await cluster.node('n1', { report_interval: '5', node_down_time: '10' }, { driver: held }, { log });
  const commands = await cluster.commands();
  const { id } = await commands.create({ ...newVolume, node: 'n1' }, deadline);
  await insertTask(id);
  const release = held.holdOnce('listVolumes');
  await until(() => held.isHeld('listVolumes'), 'the deletion is held up before its last check');
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  const before = await volumesOf(store).lookup(id);
  await until(async () => {
    await lapse();
    return takeOver(store, before, 'volume');
  }, 'it is taken over');
  release();
  await until(async () => (await lookupNode(store, 'n1')).state === 'up', 'the old node reports again');
  await until(() => lines.some((line) => line.includes('no longer asks for the delete')), 'it ends');
  t.is((await driver.listVolumes()).length, 1);
  t.like(await volumesOf(store).lookup(id), { node: 'n2', status: 'deleting' });
  await until(async () => (await store.redis.exists(store.keys.abandoned(id))) === 0, 'the note for the old node goes');
});

/** A deletion whose command was lost: a report resumes it. */
async function insertTask(id: string): Promise<void> {
  const volume = await volumesOf(store).lookup(id);
  await commit(store, { edits: [editOf(volume, 'startDelete')] });
}

test.serial('where Redis loses that a volume was taken over, its next request takes it over again', async (t) => {
  await goneNode();
  const { id } = await volumeOfGone();
  const held = new FaultyDriver(driver);
  await cluster.node('n2', {}, { driver: held });
  const commands = await cluster.commands();
  await lapse();
  const before = await store.redis.hgetall(store.keys.volume(id));
  const release = held.holdOnce('ensureVolume');
  const attaching = commands.attach(id, attachment, deadline);
  await until(() => held.isHeld('ensureVolume'), 'the attach is under way');
  const now = await store.redis.hgetall(store.keys.volume(id));
  const unset = Object.keys(now).filter((name) => !(name in before));
  const lost = removedAttachment(now['attachment'] ?? '');
  await commit(store, { edits: [{ kind: 'volume', id, set: before, unset }, lost] });
  release();
  await t.throwsAsync(attaching, { code: 'ChangeLost' });
  t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'available' });
  t.like(await commands.attach(id, attachment, deadline), { node: 'n2', attachStatus: 'attached' });
  t.deepEqual(await agreement(), []);
});

test.serial('a node that is declared lost has its volumes moved to another one', async (t) => {
  await goneNode();
  const attached = await volumeOfGone(attachedFields);
  const deleting = await volumeOfGone({ status: 'deleting', task: taskText('delete') });
  await lapse();
  await fakeNode(store, 'n2', { backends: [{ shared: 'fake:pool' }] });
  await declareLost(store, 'n1', { topic: 'volume' });
  t.like(await volumesOf(store).lookup(attached.id), { node: 'n2', status: 'in-use', fault: undefined });
  t.like(await volumesOf(store).lookup(deleting.id), { node: 'n2', status: 'deleting' });
});

test.serial('a backend whose storage is no longer shared, or is gone, is in no index of shared storage', async (t) => {
  const members = () => store.redis.zrange(store.keys.sharing('fake:pool'), '0', '-1');
  await goneNode();
  t.deepEqual(await members(), ['n1@fake']);
  await goneNode({ shared: undefined });
  t.deepEqual(await members(), ['n1@fake'], 'storage that does not answer');
  await goneNode({ shared: 'fake:other' });
  t.deepEqual(await members(), []);
  await goneNode({ shared: 'fake:pool' });
  await goneNode({ shared: '' });
  t.deepEqual(await members(), []);
  t.is(await store.redis.hget(store.keys.backend('n1@fake'), 'shared'), null);
  await goneNode({ shared: 'fake:pool' });
  await goneNode({ name: 'another' });
  t.deepEqual(await members(), ['n1@another']);
});
