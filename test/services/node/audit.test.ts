import { randomUUID } from 'node:crypto';
import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import type { Finding } from '../../../lib/audit/finding.ts';
import { auditRecords } from '../../../lib/audit/records.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { Caller } from '../../../lib/client/caller.ts';
import { NodeCommands } from '../../../lib/client/node-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { Node } from '../../../lib/models/node.ts';
import { Volume } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../../../lib/targets/target.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Every kind of difference is made by hand, found, left alone until asked, and mended so that everything agrees. */

/** Exports in a map, which a test can change behind everybody's back. */
class FakeTarget implements Target {
  readonly name = 'fake';
  readonly exports = new Map<string, FoundExport>();

  async setup(): Promise<void> {}
  async ensureExport(specified: ExportSpec): Promise<void> {
    this.exports.set(specified.id, specified);
  }
  async removeExport(id: string): Promise<void> {
    this.exports.delete(id);
  }
  async listExports(): Promise<FoundExport[]> {
    return [...this.exports.values()];
  }
  async listTraces(): Promise<string[]> {
    return [...this.exports.keys()];
  }
  problems(): readonly TargetProblem[] {
    return [];
  }
  async discover(): Promise<SeenAddress[]> {
    return [];
  }
  async close(): Promise<void> {}
}

let cluster: Cluster;
let store: Store;
let driver: FakeDriver;
let target: FakeTarget;
let faulty: FaultyDriver;
let commands: VolumeCommands;
let nodeCommands: NodeCommands;
let id: string;

const wanted = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const elsewhere = { address: 'e9.9', path: '/x', readOnly: false, hosts: [] };

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FakeDriver();
  faulty = new FaultyDriver(driver);
  target = new FakeTarget();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver: faulty, target });
  commands = await cluster.commands();
  nodeCommands = new NodeCommands(store, new Caller(store), 'volume');
  id = (await commands.create({ ...wanted, name: 'data' }, deadline)).id;
});
test.afterEach.always(() => cluster.close());

interface Request {
  repair?: boolean;
  remove?: readonly string[];
  recordsOnly?: boolean;
}

/** As the command line does it: Redis, then the node. */
async function audit({ repair = false, remove = [], recordsOnly = false }: Request = {}): Promise<Finding[]> {
  const inRedis = await Array.fromAsync(auditRecords(store, { repair }));
  return [...inRedis, ...(await nodeCommands.audit('n1', { repair, remove, recordsOnly }, deadline))];
}

function agreement(): Promise<string[]> {
  const exports = [...target.exports.values()];
  return driver.listVolumes().then((volumes) => disagreements(store, [{ node: 'n1', volumes, exports }]));
}

const said = (findings: readonly Finding[]) => findings.map(({ object, what }) => `${object} ${what}`);

test.serial('where everything agrees nothing is found, and what is under way is no difference', async (t) => {
  t.deepEqual(await audit(), []);
  const release = faulty.holdOnce('createVolume');
  const creating = commands.create(wanted, deadline);
  await until(async () => (await store.redis.zcard(store.keys.pending('n1'))) === 1, 'the node is at it');
  t.deepEqual(await audit(), []);
  release();
  await creating;
  t.deepEqual(await agreement(), []);
});

const mendable: Record<string, { make: () => Promise<unknown>; found: () => string }> = {
  'storage without a record': {
    make: () => store.run('change', id, '{"remove":true}').then(() => target.removeExport(id)),
    found: () => `volume ${id} has storage but no record`,
  },
  'an export that died': {
    make: async () => target.exports.delete(id),
    found: () => `volume ${id} is not exported`,
  },
  'an export under another number': {
    make: async () => target.exports.set(id, { ...elsewhere, id }),
    found: () => `volume ${id} is exported as e9.9, not as e1.0`,
  },
  'an export with other rights than its record': {
    make: async () => {
      const running = target.exports.get(id);
      if (running) target.exports.set(id, { ...running, readOnly: true, hosts: ['52:54:00:00:00:01'] });
    },
    found: () => `volume ${id} is exported read-only for 52:54:00:00:00:01, not for writing for all hosts`,
  },
  'an export of nothing': {
    make: async () => target.exports.set('gone', { ...elsewhere, id: 'gone' }),
    found: () => 'volume gone is exported (/x) and does not exist',
  },
  'labels of another owner': {
    make: async () =>
      driver.createVolume(spec({ id, size: 1, labels: { user: 'other', project: 'project', size: '1' } })),
    found: () => `volume ${id} has other labels on its storage than its record`,
  },
  'a lost number': {
    make: () => store.redis.zrem(store.keys.freeNumbers('n1'), '1.3'),
    found: () => 'number 1.3 is neither free nor in use',
  },
  'a number that is free and in use': {
    make: () => store.redis.zadd(store.keys.freeNumbers('n1'), 256, '1.0'),
    found: () => 'number 1.0 is free, though it is in use or of another node',
  },
  'a shelf that nobody has': {
    make: () => store.redis.hdel(store.keys.shelves(), '1'),
    found: () => 'number 1.0 is in use here, but its shelf is not of this node',
  },
  'a record that no list shows': {
    make: () => store.redis.zrem(store.keys.volumes(), id),
    found: () => `volume ${id} is not in the index volumes`,
  },
  'a name that finds nothing': {
    make: () => store.redis.zrem(store.keys.volumeNames(), `data\0${id}`),
    found: () => `volume ${id} is not in the index volume-names`,
  },
  'an entry of a volume that does not exist': {
    make: () => store.redis.zadd(store.keys.projectVolumes('project'), 1, 'gone'),
    found: () => 'entry gone is in the index project:project:volumes without a record that says so',
  },
  'work that is done': {
    make: () => store.redis.zadd(store.keys.pending('n1'), 1, id),
    found: () => `entry ${id} is in the index node:n1:pending without a record that says so`,
  },
  'work that nobody is at': {
    make: () => store.redis.hset(store.keys.volume(id), 'status', 'deleting'),
    found: () => `volume ${id} waits for its delete, which nobody is at`,
  },
};

for (const [name, { make, found }] of Object.entries(mendable)) {
  test.serial(`found and mended: ${name}`, async (t) => {
    await make();
    const before = await agreement();
    const seen = await audit();
    t.true(said(seen).includes(found()), said(seen).join('\n'));
    t.true(seen.every(({ mend, mended }) => mend !== '' && !mended));
    t.deepEqual(await agreement(), before, 'nothing was changed');
    const repaired = await audit({ repair: true });
    t.true(
      repaired.every(({ mended }) => mended),
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
  t.deepEqual(said(await audit()), [`volume ${id} has a record but no storage`]);
  t.like((await Volume.lookup(store, id)).state, { status: 'available' });
  t.like(await audit({ repair: true }), { 0: { mended: true, mend: 'put its record into error' } });
  t.like((await Volume.lookup(store, id)).state, { status: 'error', fault: { code: 'StorageMissing' } });
  t.like(await audit({ repair: true }), { 0: { mended: false, mend: '' } }, 'nothing brings the data back');

  await driver.createVolume(spec({ id, size: 1, labels: kept?.labels ?? {} }));
  t.like(await audit({ repair: true }), { 0: { mended: true, mend: 'make it available again' } });
  t.like((await Volume.lookup(store, id)).state, { status: 'available', fault: undefined });
});

test.serial('storage that the record of another node counts on is not removed, named or not', async (t) => {
  await store.redis.zrem(store.keys.nodeVolumes('n1'), id);
  await store.redis.hset(store.keys.volume(id), 'node', 'n2');
  const findings = await audit({ remove: [id] });
  const found = findings.find(({ what }) => what.includes('has storage here, but its record is of node n2'));
  t.like(found, { object: `volume ${id}`, mended: false });
  t.regex(found?.trouble ?? '', /recorded as available on node n2: its storage here may be the only copy$/);
  t.true((await driver.listVolumes()).some((volume) => volume.id === id));
});

test.serial('data without a record is removed only when it is named', async (t) => {
  const stranger = randomUUID();
  await driver.createVolume(spec({ id: stranger, size: 1 }));
  const other = randomUUID();
  await driver.createVolume(spec({ id: other, size: 2 }));
  t.is((await audit({ remove: [stranger] })).find(({ object }) => object.includes(stranger))?.mended, true);
  t.deepEqual((await driver.listVolumes()).map((found) => found.id).toSorted(), [id, other].toSorted());
  await audit({ remove: [id] });
  t.is((await driver.listVolumes()).length, 2, 'one with a record is not removed, named or not');
  await audit({ repair: true });
  t.like((await Volume.lookup(store, other)).state, { size: 2, userId: 'user', status: 'available' });
  t.deepEqual(await agreement(), []);
});

test.serial('records are made again after Redis lost them, and nothing else is changed', async (t) => {
  await commands.create({ ...wanted, size: 3, projectId: 'second' }, deadline);
  const before = await Array.fromAsync(Volume.records(store).all());
  for (const volume of before) await store.run('change', volume.id, '{"remove":true}');
  target.exports.delete(id);
  target.exports.set('gone', { ...elsewhere, id: 'gone' });
  const findings = await audit({ repair: true, recordsOnly: true });
  t.is(findings.filter(({ mended }) => mended).length, 2);
  t.true(target.exports.has('gone'));
  const after = await Array.fromAsync(Volume.records(store).all());
  const kept = (volumes: typeof before) =>
    volumes
      .map((volume) => [volume.id, volume.size, volume.userId, volume.projectId, volume.aoeDevice].join(' '))
      .toSorted();
  t.deepEqual(kept(after), kept(before));
});

test.serial('a node that does not exist, is down or does not answer says so', async (t) => {
  const request = { repair: false, remove: [] };
  await t.throwsAsync(nodeCommands.audit('nosuch', request, deadline), { code: 'NodeNotFound' });
  await Node.enter(store, { name: 'n2', holder: 'test', leaseMs: 1, topic: 'volume' });
  await until(async () => (await store.redis.exists(store.keys.lease('n2'))) === 0, 'n2 is down');
  await t.throwsAsync(nodeCommands.audit('n2', request, deadline), { code: 'NodeDown' });
  await Node.enter(store, { name: 'n3', holder: 'test', leaseMs: 600_000, topic: 'volume' });
  await t.throwsAsync(nodeCommands.audit('n3', request, { deadlineMs: 100 }), {
    code: 'NoAnswer',
    message: 'node n3 has not answered within 0 s',
  });
  faulty.failOnce('listVolumes', new Error('no lvs'));
  await t.throwsAsync(nodeCommands.audit('n1', request, deadline), { code: 'Internal', message: /no lvs/ });
});
