import { randomUUID } from 'node:crypto';
import test from 'ava';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { instancesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };
const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const owner = { userId: 'user', projectId: 'project' };

/** Fails its setup as long as `fault` is there, as while a disk is not found. */
class LateDriver extends FakeDriver {
  fault: Error | undefined;

  override async setup(): Promise<void> {
    if (this.fault) throw this.fault;
  }
}

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let snapshots: SnapshotCommands;
let driver: FakeDriver;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FakeDriver();
  await cluster.node('n1', {}, { driver });
  volumes = await cluster.commands();
  snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
});
test.after.always(() => cluster.close());

test.serial('a snapshot is taken and deleted, and its volume goes on as it is', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, { ...owner, name: 'before' }, deadline);
  t.like(snapshot, { volume: id, name: 'before', size: 1, status: 'available', fault: undefined });
  t.like(await volumesOf(store).lookup(id), { status: 'available', task: undefined, snapshot: '' });
  const [stored] = await driver.snapshots.listSnapshots();
  t.like(stored, {
    id: snapshot.id,
    volumeId: id,
    labels: { user: 'user', project: 'project', name: 'before' },
  });
  const { id: again } = await snapshots.create(id, { ...owner, id: snapshot.id, name: 'before' }, deadline);
  t.is(again, snapshot.id);
  await t.throwsAsync(snapshots.create(id, { ...owner, id: snapshot.id, name: 'other' }, deadline), {
    code: 'SnapshotExists',
    message: /its name is "before", not "other"/,
  });
  await t.throwsAsync(volumes.delete(id, deadline), { code: 'VolumeHasSnapshots', message: new RegExp(snapshot.id) });
  await snapshots.delete(snapshot.id, deadline);
  await t.throwsAsync(snapshots.delete(snapshot.id, deadline), { code: 'SnapshotNotFound' });
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
  await volumes.delete(id, deadline);
});

test.serial('a snapshot is described and renamed, also on its storage', async (t) => {
  const { id: volume } = await volumes.create({ ...newVolume, name: 'data' }, deadline);
  const described = { ...owner, name: 'before', description: 'of Monday', metadata: { ticket: '1' } };
  const { id } = await snapshots.create(volume, described, deadline);
  t.like(await snapshots.update(id, { description: '', metadata: { state: 'kept' }, unsetMetadata: ['ticket'] }), {
    name: 'before',
    description: '',
    metadata: { state: 'kept' },
  });
  const named = await snapshots.update(id, { name: 'after' });
  t.like(named, { name: 'after', status: 'available' });
  await until(async () => (await volumesOf(store).lookup(volume)).task === undefined, 'labelled');
  t.like(await volumesOf(store).lookup(volume), { name: 'data', snapshot: '' });
  t.is((await driver.snapshots.listSnapshots()).find((one) => one.id === id)?.labels['name'], 'after');
  t.is((await driver.listVolumes()).find((one) => one.id === volume)?.labels['name'], 'data');
  await t.throwsAsync(snapshots.update(id, { name: ' x' }), { code: 'InvalidArgument' });
  await t.throwsAsync(
    snapshots.update(id, { metadata: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`k${n}`, ''])) }),
    { code: 'InvalidArgument' },
  );
  await t.throwsAsync(snapshots.update(randomUUID(), { name: 'x' }), { code: 'SnapshotNotFound' });
  t.like(await snapshots.update(id, { name: '' }), { name: '' });
  await until(async () => (await volumesOf(store).lookup(volume)).task === undefined, 'labelled');
  await volumes.delete(volume, { ...deadline, withSnapshots: true });
});

test.serial('of an attached volume only with force; it stays attached', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(snapshots.create(id, owner, deadline), { code: 'VolumeAttached', message: /attached to i-1/ });
  const snapshot = await snapshots.create(id, { ...owner, force: true }, deadline);
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await instancesOf(store, id), ['i-1']);
  await snapshots.delete(snapshot.id, deadline);
  await volumes.detach(id, deadline);
  await volumes.delete(id, deadline);
});

test.serial('one that fails is in error with its reason, its volume is not, and it can be deleted', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const create = driver.snapshots.createSnapshot.bind(driver.snapshots);
  driver.snapshots.createSnapshot = async () => {
    throw errors.noSpace('the pool', 2, 1);
  };
  const request = { ...owner, id: '0a1b2c3d-0000-4000-8000-000000000001' };
  await t.throwsAsync(snapshots.create(id, request, deadline), { code: 'NoSpace' });
  driver.snapshots.createSnapshot = create;
  t.like(await snapshotsOf(store).lookup(request.id), { status: 'error', fault: { code: 'NoSpace' } });
  t.like(await volumesOf(store).lookup(id), { status: 'available', fault: undefined, task: undefined });
  await t.throwsAsync(
    snapshots.create(id, request, deadline),
    { code: 'NoSpace' },
    'the same request has the same end',
  );
  await snapshots.delete(request.id, deadline);
  await volumes.delete(id, deadline);
});

test.serial('volumes are made from a snapshot and from another volume, as large or larger', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const { id: fromSnapshot } = await snapshots.create(id, owner, deadline);
  const copy = await volumes.create({ ...newVolume, size: 2, fromSnapshot }, deadline);
  t.like(copy, { size: 2, status: 'available', fromSnapshot, isCopying: false, node: 'n1' });
  const clone = await volumes.create({ ...newVolume, fromVolume: id }, deadline);
  t.like(clone, { size: 1, status: 'available', fromVolume: id, isCopying: false });
  await t.throwsAsync(volumes.create({ ...newVolume, size: 0, fromSnapshot }, deadline), {
    code: 'SizeTooSmall',
    message: `snapshot ${fromSnapshot} requires 1 GiB: a volume of 100 MiB cannot have its data`,
  });
  await t.throwsAsync(volumes.create({ ...newVolume, fromSnapshot, node: 'n1@other' }, deadline), {
    code: 'NotCapable',
  });
  await t.throwsAsync(volumes.create({ ...newVolume, id: copy.id, size: 2 }, deadline), {
    code: 'VolumeExists',
    message: /its snapshot is ".*", not ""$/,
  });
  await snapshots.delete(fromSnapshot, deadline);
  await volumes.delete(id, deadline);
  for (const one of [copy, clone]) await volumes.delete(one.id, deadline);
});

test.serial('what is being copied cannot be deleted until it is', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const { id: fromSnapshot } = await snapshots.create(id, owner, deadline);
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const copy = driver.snapshots.createFromSnapshot.bind(driver.snapshots);
  driver.snapshots.createFromSnapshot = async (...args) => {
    await goOn;
    return copy(...args);
  };
  const copying = volumes.create({ ...newVolume, fromSnapshot }, deadline);
  const isCopied = async () => (await store.redis.zcard(store.keys.snapshotCopies(fromSnapshot))) === 1;
  await until(isCopied, 'it is being copied');
  await t.throwsAsync(snapshots.delete(fromSnapshot, deadline), { code: 'SnapshotIsCopied' });
  resolve();
  driver.snapshots.createFromSnapshot = copy;
  const { id: made } = await copying;
  await snapshots.delete(fromSnapshot, deadline);
  for (const one of [id, made]) await volumes.delete(one, deadline);
  t.deepEqual(await store.redis.keys('*copies*'), []);
});

test.serial('an audit makes lost records of snapshots again, and marks those without storage', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, { ...owner, name: 'kept' }, deadline);
  const nodes = await cluster.nodeCommands();
  const audit = async (repair: boolean) => (await nodes.audit('n1', { repair, remove: [] }, deadline)).findings;
  t.deepEqual(await audit(false), []);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  t.like(await audit(true), [{ object: `snapshot ${snapshot.id}`, what: 'has storage but no record', fixed: true }]);
  t.deepEqual(await snapshotsOf(store).lookup(snapshot.id), snapshot);
  await driver.snapshots.deleteSnapshot({
    id: snapshot.id,
    volume: { id, size: 1, sizeBytes: 1, labels: {} },
    labels: {},
  });
  t.like(await audit(true), [{ what: 'has a record but no storage', fixed: true }]);
  t.like(await snapshotsOf(store).lookup(snapshot.id), { status: 'error', fault: { code: 'SnapshotMissing' } });
  for (const status of ['creating', 'deleting']) {
    await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, set: { status }, unset: ['fault'] }] });
    t.like(await audit(true), [{ what: `is ${status}, and its volume has no task for it`, fixed: true }]);
  }
  t.is((await snapshotsOf(store).lookup(snapshot.id)).status, 'error_deleting');
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
  t.deepEqual(await audit(false), []);
});

test.serial('an audit reports a snapshot whose record has another owner than its storage', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, set: { userId: 'other' } }] });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: false, remove: [] }, deadline);
  t.like(findings, [{ object: `snapshot ${snapshot.id}`, what: 'has other labels on its storage than its record' }]);
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
});

test.serial('an audit gives a snapshot the size and the time of its creation back that somebody altered', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  const nodes = await cluster.nodeCommands();
  const audit = async () => (await nodes.audit('n1', { repair: true, remove: [] }, deadline)).findings;
  for (const [set, what] of [
    [{ size: '100' }, 'has another size in its record than on its storage'],
    [{ createTime: '1' }, 'has another creation time in its record than on its storage'],
  ] as const) {
    await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, set }] });
    t.like(await audit(), [{ object: `snapshot ${snapshot.id}`, what, fixed: true }]);
    t.deepEqual(await snapshotsOf(store).lookup(snapshot.id), snapshot);
    t.deepEqual(await audit(), []);
  }
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
});

test.serial('one audit restores a volume and its snapshots', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, { ...owner, name: 'kept' }, deadline);
  await commit(store, {
    edits: [
      { kind: 'snapshot', id: snapshot.id, remove: true },
      { kind: 'volume', id, remove: true },
    ],
  });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, recordsOnly: true, remove: [] }, deadline);
  t.like(findings, [
    { object: `volume ${id}`, fixed: true },
    { object: `snapshot ${snapshot.id}`, fixed: true },
  ]);
  t.deepEqual(await snapshotsOf(store).lookup(snapshot.id), snapshot);
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
});

test.serial('the snapshots of a volume that has lost its storage can be deleted, and then the volume', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await driver.deleteVolume({ id, size: 1, sizeBytes: 1, labels: {} });
  const nodes = await cluster.nodeCommands();
  await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code: 'StorageMissing' } });
  await snapshots.delete(snapshot.id, deadline);
  t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code: 'StorageMissing' }, task: undefined });
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
  await volumes.delete(id, deadline);
});

test.serial('an audit reports the storage of a snapshot whose volume is gone, and removes it on request', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  await volumes.delete(id, deadline);
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, [
    {
      object: `snapshot ${snapshot.id}`,
      what: `has storage but no record, and its volume ${id} is gone`,
      fixed: false,
    },
  ]);
  const removal = await nodes.audit('n1', { repair: false, remove: [snapshot.id] }, deadline);
  t.like(removal.findings, [{ object: `snapshot ${snapshot.id}`, fixed: true }]);
  t.false((await driver.snapshots.listSnapshots()).some((one) => one.id === snapshot.id));
});

test.serial('a backend that is served late has the lost records of its snapshots again', async (t) => {
  const own = new LateDriver();
  const backends = [
    { name: 'fast', driver: new FakeDriver() },
    { name: 'slow', driver: own },
  ];
  const first = await cluster.node('late', { report_interval: '1' }, backends);
  const { id } = await volumes.create({ ...newVolume, node: 'late@slow' }, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await first.stop();
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  own.fault = errors.storageUnusable('/dev/sdb', 'it is not there');
  const node = await cluster.node('late', { report_interval: '1' }, backends);
  t.is(await snapshotsOf(store).find(snapshot.id), undefined);
  own.fault = undefined;
  const restored = await until(() => snapshotsOf(store).find(snapshot.id), 'its record is there');
  t.like(restored, { volume: id, status: 'available' });
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
  await node.stop();
});

test.serial('lost records of snapshots are back once the record of their volume can be read again', async (t) => {
  const own = new FakeDriver();
  const node = await cluster.node('odd', { report_interval: '1' }, { driver: own });
  const { id } = await volumes.create({ ...newVolume, node: 'odd' }, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  await store.redis.hset(store.keys.volume(id), 'status', 'unknown available');
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('odd', { repair: true, remove: [] }, deadline);
  t.true(findings.some(({ what }) => what.startsWith('has an unusable record')));
  t.is(await snapshotsOf(store).find(snapshot.id), undefined);
  await store.redis.hset(store.keys.volume(id), 'status', 'available');
  t.like(await until(() => snapshotsOf(store).find(snapshot.id), 'its record is back'), { volume: id });
  await snapshots.delete(snapshot.id, deadline);
  await volumes.delete(id, deadline);
  await node.stop();
});

test.serial('a snapshot gets no record again while its volume is being deleted', async (t) => {
  const own = new FakeDriver();
  const first = await cluster.node('going', {}, { driver: own });
  const { id } = await volumes.create({ ...newVolume, node: 'going' }, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await first.stop();
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  await volumes.delete(id);
  const node = await cluster.node('going', {}, { driver: own });
  await until(async () => (await volumesOf(store).find(id)) === undefined, 'it is deleted');
  t.is(await snapshotsOf(store).find(snapshot.id), undefined);
  await node.stop();
});

test.serial('a node that finds Redis empty restores its volumes with their snapshots', async (t) => {
  const own = new FakeDriver();
  const node = await cluster.node('n2', {}, { driver: own });
  const { id } = await volumes.create({ ...newVolume, node: 'n2' }, deadline);
  const snapshot = await snapshots.create(id, { ...owner, name: 'kept' }, deadline);
  await node.stop();
  await commit(store, {
    edits: [
      { kind: 'snapshot', id: snapshot.id, remove: true },
      { kind: 'volume', id, remove: true },
    ],
  });
  await cluster.node('n2', {}, { driver: own });
  t.like(await volumesOf(store).lookup(id), { status: 'available', node: 'n2' });
  t.deepEqual(await snapshotsOf(store).lookup(snapshot.id), snapshot);
});
