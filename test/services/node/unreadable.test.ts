import { randomUUID } from 'node:crypto';
import test from 'ava';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { auditRecords } from '../../../lib/audit/records.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Unreadable } from '../../../lib/models/records.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** A record that this version cannot read stops nothing, is left alone, and is reported. */

let cluster: Cluster;
let store: Store;
let driver: FakeDriver;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FakeDriver();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };

type Odd = { fields: Record<string, string>; reason: RegExp };

const odd: Record<string, Odd> = {
  'an unknown status': { fields: { status: 'hibernating' }, reason: /has status "hibernating"/ },
  'an unknown attach status': { fields: { attachStatus: 'reserved' }, reason: /has attach status "reserved"/ },
  'a fault that is no fault': { fields: { fault: '{"code":7}' }, reason: /has a fault that this version cannot read/ },
  'a fault that is no JSON': { fields: { fault: 'broken' }, reason: /has a fault/ },
  'a task of an unknown kind': {
    fields: { task: '{"kind":"hibernate","key":"k"}' },
    reason: /has a task that this version does not know/,
  },
  'a size that is no number': { fields: { size: 'large' }, reason: /has size "large"/ },
  'an unknown attach mode': { fields: { attachMode: 'RO' }, reason: /has attach mode "RO"/ },
  'a time that is no number': { fields: { restoreTime: 'noon' }, reason: /has restoreTime "noon"/ },
};

test.serial('records that cannot be read stop no start, no list and no audit', async (t) => {
  const before = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const good = await commands.create(newVolume, deadline);
  const cases: (Odd & { what: string; id: string })[] = [];
  for (const [what, { fields, reason }] of Object.entries(odd)) {
    const { id } = await commands.create(newVolume, deadline);
    cases.push({ what, id, fields, reason });
  }
  await before.stop();
  const { redis, keys } = store;
  for (const { id, fields } of cases) await redis.hset(keys.volume(id), fields);
  const recordsNow = () => Promise.all(cases.map(({ id }) => redis.hgetall(keys.volume(id))));
  const records = await recordsNow();

  const node = await cluster.node('n1', {}, { driver });
  t.like(await node.getVolume(good.id), { status: 'available' });
  const unreadable: Unreadable[] = [];
  const walk = volumesOf(store).iterate(keys.volumes(), (one) => unreadable.push(one));
  t.deepEqual(
    (await Array.fromAsync(walk)).map(({ id }) => id),
    [good.id],
  );
  t.is(unreadable.length, cases.length);
  const { findings } = await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  t.true(findings.every(({ fixed }) => !fixed));
  t.deepEqual(await recordsNow(), records, 'they are left alone');
  const stored = new Set((await driver.listVolumes()).map(({ id }) => id));
  const problems = (await lookupNode(store, 'n1')).problems.join('\n');
  for (const { what, id, reason } of cases) {
    t.regex(unreadable.find((one) => one.id === id)?.reason ?? '', reason, what);
    await t.throwsAsync(node.getVolume(id), { code: 'RecordUnreadable', message: reason }, what);
    await t.throwsAsync(commands.delete(id, deadline), { code: 'RecordUnreadable' }, what);
    t.regex(findings.find(({ object }) => object.includes(id))?.what ?? '', reason, what);
    t.regex(problems, reason, what);
    t.true(stored.has(id), `${what}: its data is there`);
  }
  await commands.delete(good.id, deadline);

  for (const { id } of cases) {
    await redis.hset(keys.volume(id), { status: 'available', attachStatus: 'detached', size: '1' });
    await redis.hdel(keys.volume(id), 'fault', 'task', 'restoreTime', 'attachMode');
  }
  const isClean = async () => (await lookupNode(store, 'n1')).problems.length === 0;
  await until(isClean, 'records that can be read again are problems no longer');
});

test.serial(
  'a record that an audit finds unreadable is a problem, and its volume is served once it is repaired',
  async (t) => {
    const target = new FakeTarget();
    await cluster.node('n1', {}, { driver, target });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    const { redis, keys } = store;
    const attached = await redis.hgetall(keys.volume(id));
    await commands.detach(id, deadline);
    // As an older state of Redis may have it.
    await redis.hset(keys.volume(id), { ...attached, status: 'hibernating' });
    await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
    const problems = async () => (await lookupNode(store, 'n1')).problems.join('\n');
    await until(async () => (await problems()).includes(`volume ${id} has status "hibernating"`), 'it is reported');
    await redis.hset(keys.volume(id), { status: 'in-use' });
    await until(() => target.exports.has(id), 'it is exported');
    t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
    await until(async () => (await problems()) === '', 'the problem is over');
  },
);

test.serial('a fault of a kind that a newer version has is read as a failure', async (t) => {
  await cluster.node('n1', {}, { driver });
  const { id } = await (await cluster.commands()).create(newVolume, deadline);
  const fault = { code: 'New', kind: 'quantum', message: 'of tomorrow' };
  await store.redis.hset(store.keys.volume(id), { status: 'error', fault: JSON.stringify(fault) });
  t.like(await volumesOf(store).lookup(id), { fault: { code: 'New', kind: 'failed', message: 'of tomorrow' } });
});

test.serial('entries whose id is no UUID, and a record that is no hash, stop no start and no audit', async (t) => {
  const before = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await before.stop();
  const { redis, keys } = store;
  const noHash = randomUUID();
  for (const member of ['../etc', 'no-uuid', noHash]) {
    for (const index of [keys.volumes(), keys.nodeVolumes('n1'), keys.tasks('n1')]) await redis.zadd(index, 1, member);
  }
  await redis.hset(keys.volume('no-uuid'), { status: 'deleting', task: '{"kind":"delete","key":"k"}', node: 'n1' });
  const node = await cluster.node('n1', {}, { driver });
  t.like(await node.getVolume(id), { status: 'available' });
  await redis.xadd(keys.topic('volume.n1'), '*', 'm', JSON.stringify({ volume: '../etc' }));
  await commands.delete(id, deadline);
  const found = await Array.fromAsync(auditRecords(store, { repair: true }), ({ object }) => object);
  t.true(found.includes('entry ../etc'));
  const { findings } = await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  t.regex(JSON.stringify(findings), /no-uuid/);
});

test.serial(
  'the storage of a deleted volume stays as it is while the record of its deletion is unreadable',
  async (t) => {
    const before = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    await before.stop();
    await declareLost(store, 'n1', { topic: 'volume' });
    await commands.delete(id, deadline);
    const { redis, keys } = store;
    await redis.hset(keys.abandoned(id), { status: 'hibernating' });
    const record = await redis.hgetall(keys.abandoned(id));

    await cluster.node('n1', {}, { driver });
    const problems = async () => (await lookupNode(store, 'n1')).problems.join('\n');
    t.regex(await problems(), new RegExp(`deleted volume ${id} has status "hibernating"`));
    const nodes = await cluster.nodeCommands();
    for (const remove of [[], [id]]) {
      const { findings } = await nodes.audit('n1', { repair: true, remove }, deadline);
      t.regex(findings.map(({ object, what }) => `${object} ${what}`).join('\n'), /deletion has status "hibernating"/);
      t.true(findings.every(({ fixed }) => !fixed));
    }
    t.is(await redis.exists(keys.volume(id)), 0);
    t.deepEqual(await redis.hgetall(keys.abandoned(id)), record, 'it is left alone');
    t.is((await driver.listVolumes()).length, 1);

    await redis.hset(keys.abandoned(id), { status: 'deleting' });
    await until(async () => (await driver.listVolumes()).length === 0, 'a record that can be read is carried out');
    await until(async () => (await problems()) === '', 'the problem is over');
  },
);

test.serial('a snapshot without a record, of a volume whose record cannot be read, stops no start', async (t) => {
  const before = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id } = await commands.create(newVolume, deadline);
  const good = await commands.create(newVolume, deadline);
  const [lost, other] = [
    await snapshots.create(id, newVolume, deadline),
    await snapshots.create(good.id, newVolume, deadline),
  ];
  await before.stop();
  await store.redis.hset(store.keys.volume(id), { status: 'hibernating' });
  for (const snapshot of [lost, other]) {
    await commit(store, { frees: true, edits: [{ kind: 'snapshot', id: snapshot.id, remove: true }] });
  }
  await cluster.node('n1', {}, { driver });
  t.is(await snapshotsOf(store).find(lost.id), undefined);
  t.like(await snapshotsOf(store).lookup(other.id), { status: 'available' });
});
