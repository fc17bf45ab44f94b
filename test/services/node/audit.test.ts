import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { foundAsSnapshot, snapshotOf, spec } from '../../lib/drivers/subject.ts';
import type { Finding } from '../../../lib/audit/finding.ts';
import { auditReferences } from '../../../lib/audit/references.ts';
import { auditRecords } from '../../../lib/audit/records.ts';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import type { NodeCommands } from '../../../lib/client/node-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { fakeNode, loseRecord, transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Every kind of difference is made by hand, found, left alone without --repair, and repaired so that everything agrees. */

let cluster: Cluster;
let store: Store;
let driver: UnlabelledDriver;
let target: FakeTarget;
let faulty: FaultyDriver;
let commands: VolumeCommands;
let nodeCommands: NodeCommands;
/** A volume that is not attached, and one that is. */
let id: string;
let attachedId: string;

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const elsewhere = { address: 'e9.9', path: '/x', readOnly: false, hosts: [] };

/** Its storage can lose its labels. */
class UnlabelledDriver extends FakeDriver {
  unlabelled: string | undefined;

  moved = '';

  async whereabouts(): Promise<string | undefined> {
    return this.moved || undefined;
  }

  async relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    return volume.id === this.unlabelled ? `label ${volume.id}` : undefined;
  }
}

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new UnlabelledDriver();
  faulty = new FaultyDriver(driver);
  target = new FakeTarget();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver: faulty, target });
  commands = await cluster.commands();
  nodeCommands = await cluster.nodeCommands();
  id = (await commands.create({ ...newVolume, name: 'data' }, deadline)).id;
  attachedId = (await commands.create(newVolume, deadline)).id;
  await commands.attach(attachedId, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
});
test.afterEach.always(() => cluster.close());

interface Request {
  repair?: boolean;
  remove?: string[];
  recordsOnly?: boolean;
}

/** As the command line does it: Redis, then the node. */
async function audit({ repair = false, remove = [], recordsOnly = false }: Request = {}): Promise<Finding[]> {
  const inRedis = await Array.fromAsync(auditRecords(store, { repair }));
  const { findings } = await nodeCommands.audit('n1', { repair, remove, recordsOnly }, deadline);
  const ofReferences = await Array.fromAsync(auditReferences(store, { repair }));
  return [...inRedis, ...findings, ...ofReferences];
}

function agreement(): Promise<string[]> {
  const exports = [...target.exports.values()];
  return driver.listVolumes().then((volumes) => disagreements(store, [{ node: 'n1', volumes, exports }]));
}

const texts = (findings: readonly Finding[]) => findings.map(({ object, what }) => `${object} ${what}`);

test.serial('nothing is found where everything agrees, and operations under way are no difference', async (t) => {
  t.deepEqual(await audit(), []);
  const release = faulty.holdOnce('createVolume');
  const creating = commands.create(newVolume, deadline);
  await until(async () => (await store.redis.zcard(store.keys.tasks('n1'))) === 1, 'the creation is under way');
  t.deepEqual(await audit(), []);
  release();
  await creating;
  t.deepEqual(await agreement(), []);
});

test.serial(
  'exports of volumes by processes that are not of blockstore are found, also of one that is not attached',
  async (t) => {
    for (const [name, volume] of [
      ['by hand', id],
      ['of another interface', attachedId],
    ] as const) {
      target.exports.set(name, { ...elsewhere, path: `fake:volume-${volume}` });
      const what = 'is exported as e9.9 by a process that is not of blockstore: end it on the node';
      t.deepEqual(texts(await audit()), [`volume ${volume} ${what}`]);
      target.exports.delete(name);
    }
    t.deepEqual(await audit(), []);
  },
);

test.serial('where the storage of a volume is that was renamed is said by audit and record', async (t) => {
  driver.moved = 'it was renamed; to undo that: lvrename';
  await driver.deleteVolume(spec({ id }));
  t.deepEqual(texts(await audit()), [`volume ${id} has a record but no storage: ${driver.moved}`]);
  await audit({ repair: true });
  const fault = await store.redis.hget(store.keys.volume(id), 'fault');
  t.true(fault?.includes(`volume ${id} is not where its record says: ${driver.moved}`), fault ?? '');
});

const repairable: Record<string, { make: () => Promise<unknown>; found: () => string }> = {
  'storage without a record': {
    make: () => loseRecord(store, id),
    found: () => `volume ${id} has storage but no record`,
  },
  'an export that ended': {
    make: async () => target.exports.delete(attachedId),
    found: () => `volume ${attachedId} is not exported`,
  },
  'an export of a volume that is not attached': {
    make: async () => target.exports.set(id, { ...elsewhere, id, address: 'e1.0', path: `fake:volume-${id}` }),
    found: () => `volume ${id} is exported although it is not attached`,
  },
  'an export at another address': {
    make: async () => target.exports.set(attachedId, { ...elsewhere, id: attachedId }),
    found: () => `volume ${attachedId} is exported as e9.9, not as e1.1`,
  },
  'an export with other rights than its record': {
    make: async () => {
      const running = target.exports.get(attachedId);
      if (running) target.exports.set(attachedId, { ...running, readOnly: true, hosts: ['52:54:00:00:00:01'] });
    },
    found: () => `volume ${attachedId} is exported with other rights than its record has`,
  },
  'an export of nothing': {
    make: async () => target.exports.set('gone', { ...elsewhere, id: 'gone' }),
    found: () => 'volume gone is exported (/x) and does not exist',
  },
  'labels of another owner': {
    make: async () =>
      driver.createVolume(
        spec({ id, size: 1, labels: { user: 'other', project: 'project', size: '1', address: 'e1.0' } }),
      ),
    found: () => `volume ${id} has other labels on its storage than its record`,
  },
  'labels that are gone': {
    make: async () => driver.createVolume(spec({ id, size: 1, labels: {} })),
    found: () => `volume ${id} has other labels on its storage than its record`,
  },
  'labels with an address that its record does not have': {
    make: () => store.redis.hdel(store.keys.volume(id), 'address'),
    found: () => `volume ${id} has other labels on its storage than its record`,
  },
  'two volumes with one address': {
    make: () => store.redis.hset(store.keys.volume(id), 'address', 'e1.1'),
    found: () => `volume ${id} has address e1.1, as volume ${attachedId} has`,
  },
  'a record that no list shows': {
    make: () => store.redis.zrem(store.keys.volumes(), id),
    found: () => `volume ${id} is not in its place in the index volumes`,
  },
  'a name that finds nothing': {
    make: () => store.redis.zrem(store.keys.volumeNames(), `data\0${id}`),
    found: () => `volume ${id} is not in its place in the index volume-names`,
  },
  'an entry of a volume that does not exist': {
    make: () => store.redis.zadd(store.keys.projectVolumes('project'), 1, 'gone'),
    found: () => 'entry gone is in the index project:project:volumes and no record accounts for it',
  },
  'a task that is done': {
    make: () => store.redis.zadd(store.keys.tasks('n1'), 1, id),
    found: () => `entry ${id} is in the index node:n1:tasks and no record accounts for it`,
  },
  'a task that nothing works on': {
    make: () => transit(store, id, 'startDelete'),
    found: () => `volume ${id} has its delete under way, and nothing works on it`,
  },
  'a status without its task': {
    make: () => store.redis.hset(store.keys.volume(id), 'status', 'deleting'),
    found: () => `volume ${id} is deleting, detached without a task`,
  },
  'a counter of allocated bytes that is wrong': {
    make: () => store.redis.hincrby(store.keys.backend('n1@fake'), 'allocatedBytes', 7),
    found: () => `backend n1@fake counts ${2 * 2 ** 30 + 7} as allocated, the records come to ${2 * 2 ** 30} bytes`,
  },
};

for (const [name, { make, found }] of Object.entries(repairable)) {
  test.serial(`found and repaired: ${name}`, async (t) => {
    await make();
    const before = await agreement();
    const seen = await audit();
    t.true(texts(seen).includes(found()), texts(seen).join('\n'));
    t.true(seen.every(({ fix, fixed }) => fix !== '' && !fixed));
    t.deepEqual(await agreement(), before, 'nothing was changed');
    const repaired = await audit({ repair: true });
    t.true(
      repaired.every(({ fixed }) => fixed),
      JSON.stringify(repaired),
    );
    await until(async () => (await agreement()).length === 0, 'all agrees').catch(async () =>
      t.deepEqual(await agreement(), []),
    );
    t.deepEqual(await audit(), []);
  });
}

test.serial('a record without storage goes into error, and out of it when the storage is back', async (t) => {
  const [kept] = await driver.listVolumes();
  await driver.deleteVolume(spec({ id }));
  t.deepEqual(texts(await audit()), [`volume ${id} has a record but no storage`]);
  t.like(await volumesOf(store).lookup(id), { status: 'available' });
  t.like(await audit({ repair: true }), { 0: { fixed: true, fix: 'put its record into error' } });
  t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code: 'StorageMissing' } });
  t.like(await audit({ repair: true }), { 0: { fixed: false, fix: '' } }, 'nothing brings the data back');

  await driver.createVolume(spec({ id, size: 1, labels: kept?.labels ?? {} }));
  t.like(await audit({ repair: true }), { 0: { fixed: true, fix: 'make it available again' } });
  t.like(await volumesOf(store).lookup(id), { status: 'available', fault: undefined });
});

test.serial('storage that the record of another node counts on is not removed, named or not', async (t) => {
  await store.redis.zrem(store.keys.nodeVolumes('n1'), id);
  await store.redis.hset(store.keys.volume(id), 'node', 'n2');
  const findings = await audit({ remove: [id] });
  const found = findings.find(({ what }) => what.includes('has storage here, but its record is of node n2'));
  t.like(found, { object: `volume ${id}`, fixed: false });
  t.regex(found?.failure ?? '', /recorded as available on node n2: its storage here may be the only copy$/);
  t.true((await driver.listVolumes()).some((volume) => volume.id === id));
});

test.serial('snapshots are removed only where they are named, also when their volume is removed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'audit-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const files = new FileDriver({ directory });
  await cluster.node('n2', {}, { driver: files });
  const stranger = spec();
  await files.createVolume(stranger);
  await driver.createVolume(stranger);
  for (const [node, storage] of [
    ['n1', driver],
    ['n2', files],
  ] as const) {
    const { snapshots } = storage;
    const snapshot = snapshotOf(stranger);
    await snapshots.createSnapshot(snapshot);
    const remove = async (one: string) =>
      texts((await nodeCommands.audit(node, { repair: true, remove: [one] }, deadline)).findings);
    const orphan = `snapshot ${snapshot.id} has storage but no record, and its volume ${stranger.id} is gone`;
    t.deepEqual(await remove(stranger.id), [`volume ${stranger.id} has storage but no record`, orphan]);
    t.false((await storage.listVolumes()).some(({ id: found }) => found === stranger.id));
    t.deepEqual(await snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
    t.deepEqual(await remove(snapshot.id), [orphan]);
    t.deepEqual(await snapshots.listSnapshots(), []);
  }
});

test.serial('data without a record is removed only when it is named', async (t) => {
  const stranger = randomUUID();
  await driver.createVolume(spec({ id: stranger, size: 1 }));
  const other = randomUUID();
  await driver.createVolume(spec({ id: other, size: 2 }));
  t.is((await audit({ remove: [stranger] })).find(({ object }) => object.includes(stranger))?.fixed, true);
  t.deepEqual((await driver.listVolumes()).map((found) => found.id).toSorted(), [id, attachedId, other].toSorted());
  await audit({ remove: [id] });
  t.is((await driver.listVolumes()).length, 3, 'one with a record is not removed, named or not');
  await audit({ repair: true });
  t.like(await volumesOf(store).lookup(other), { size: 2, userId: 'user', status: 'available' });
  t.deepEqual(await agreement(), []);
});

test.serial(
  'the address of removed storage, or of an export that is ended, rests like that of a deleted volume',
  async (t) => {
    const resting = async () => store.redis.zrange(store.keys.quarantine('n3'), '0', '-1');
    const storage = new FakeDriver();
    const exporter = new FakeTarget();
    const [owned, stray] = [randomUUID(), randomUUID()];
    const labels = { user: 'user', project: 'project', size: '1' };
    for (const [one, address] of Object.entries({ [owned]: 'e7.0', [stray]: 'e7.1' })) {
      await storage.createVolume({ ...spec({ id: one, size: 1 }), labels: { ...labels, address } });
    }
    await cluster.node('n3', { report_interval: '1' }, { driver: storage, target: exporter });
    for (const one of [owned, stray]) await loseRecord(store, one);
    const request = { repair: false, remove: [owned], recordsOnly: false };
    await nodeCommands.audit('n3', request, deadline);
    await until(async () => (await resting()).join() === 'e7.0', 'the address of removed storage rests');
    exporter.exports.set(stray, { id: stray, path: '/x', address: 'e7.1', readOnly: false, hosts: [] });
    await storage.deleteVolume(spec({ id: stray, size: 1 }));
    await nodeCommands.audit('n3', { repair: true, remove: [], recordsOnly: false }, deadline);
    t.deepEqual([...exporter.exports.keys()], []);
    await until(async () => (await resting()).join() === 'e7.0,e7.1', 'the address of an ended export rests');
  },
);

test.serial('storage that gets a record while an audit removes other storage stays', async (t) => {
  const removed: string[] = [randomUUID(), randomUUID()];
  for (const one of removed) await driver.createVolume(spec({ id: one, size: 1 }));
  const release = faulty.holdOnce('deleteVolume');
  const auditing = audit({ remove: removed });
  await until(() => faulty.isHeld('deleteVolume'), 'the first one is being removed');
  const [, second = ''] = removed;
  await commands.create({ ...newVolume, id: second }, deadline);
  release();
  const found = (await auditing).find(({ object }) => object === `volume ${second}`);
  t.like(found, { fixed: false });
  t.regex(found?.failure ?? '', /is recorded as available on node n1/);
  t.deepEqual((await driver.listVolumes()).map((one) => one.id).toSorted(), [id, attachedId, second].toSorted());
});

test.serial('records are made again after Redis lost them, and nothing else is changed', async (t) => {
  await commands.create({ ...newVolume, size: 3, projectId: 'second' }, deadline);
  const before = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  for (const volume of before) await loseRecord(store, volume.id);
  target.exports.delete(id);
  target.exports.set('gone', { ...elsewhere, id: 'gone' });
  const findings = await audit({ repair: true, recordsOnly: true });
  t.is(findings.filter(({ fixed }) => fixed).length, 3);
  t.true(target.exports.has('gone'));
  const after = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  const kept = (volumes: typeof before) =>
    volumes
      .map((volume) => [volume.id, volume.size, volume.userId, volume.projectId, volume.address].join(' '))
      .toSorted();
  t.deepEqual(kept(after), kept(before));
});

test.serial('one repair corrects a counter and makes a record again that it still counts', async (t) => {
  await store.redis.del(store.keys.volume(id));
  const findings = await audit({ repair: true });
  t.deepEqual(
    findings.filter(({ fixed }) => !fixed),
    [],
  );
  t.deepEqual(await audit(), []);
});

test.serial('a node that does not exist, is down or does not answer says so', async (t) => {
  const request = { repair: false, remove: [] };
  await t.throwsAsync(nodeCommands.audit('nosuch', request, deadline), { code: 'NodeNotFound' });
  await fakeNode(store, 'n2', { leaseMs: 1 });
  await until(async () => (await store.redis.exists(store.keys.lease('n2'))) === 0, 'n2 is down');
  await t.throwsAsync(nodeCommands.audit('n2', request, deadline), { code: 'NodeDown' });
  await fakeNode(store, 'n3');
  await t.throwsAsync(nodeCommands.audit('n3', request, { deadlineMs: 100 }), {
    code: 'NoAnswer',
    message: 'node n3 has not answered within 100 ms',
  });
  faulty.failOnce('listVolumes', new Error('no lvs'));
  await t.throwsAsync(nodeCommands.audit('n1', request, deadline), { code: 'Internal', message: /no lvs/ });
});

test.serial('storage that a failed attach found missing is recorded as missing', async (t) => {
  await driver.deleteVolume(spec({ id }));
  await t.throwsAsync(commands.attach(id, { instanceId: 'i-2', mountpoint: '/dev/vdc' }, deadline), {
    code: 'StorageMissing',
  });
  await audit({ repair: true });
  t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code: 'StorageMissing' } });
});

test.serial('storage that lost its labels is not reported as absent', async (t) => {
  await driver.deleteVolume(spec({ id }));
  driver.unlabelled = id;
  const command = `label ${id}`;
  const [finding] = await audit({ repair: true });
  t.is(finding?.what, `has a record but no storage with its label; if fake:volume-${id} is this volume: ${command}`);
  const { fault } = await volumesOf(store).lookup(id);
  t.like(fault, { code: 'StorageMissing' });
  t.regex(fault?.message ?? '', /exists without it$/);
  t.true(fault?.hint?.includes(command));
});

test.serial('storage of another size than the record is reported, smaller or larger', async (t) => {
  const found = (await driver.listVolumes()).find((volume) => volume.id === id);
  const GiB = 2 ** 30;
  for (const sizeBytes of [GiB / 2, 2 * GiB]) {
    await driver.createVolume(spec({ id, sizeBytes, labels: found?.labels ?? {} }));
    t.deepEqual(texts(await audit()), [`volume ${id} has ${sizeBytes} bytes on storage, ${GiB} in its record`]);
  }
});
