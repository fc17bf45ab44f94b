import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { insertVolume } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** A volume that was deleted while its node was lost is deleted when the node returns, and its data is nobody else's. */

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
});
test.afterEach.always(() => cluster.close());

const ofAlice = { size: 1, userId: 'alice', projectId: 'project', node: 'n1' };
const ofBob = { size: 1, userId: 'bob', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };

/** Returns the id of a volume of node n1, which is lost, that was deleted meanwhile. */
async function deleteWhileLost(driver: VolumeDriver, target = new FakeTarget()): Promise<string> {
  const node = await cluster.node('n1', {}, { driver, target });
  const { id } = await commands.create(ofAlice, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await commands.delete(id, deadline);
  return id;
}

test.serial('the id of a volume that is to be deleted on its lost node is not used again before that', async (t) => {
  const driver = new FakeDriver();
  const id = await deleteWhileLost(driver);
  await cluster.node('n2');
  const refusal = {
    code: 'VolumeExists',
    message: /was deleted while its node n1 was lost, and is still to be deleted/,
  };
  await t.throwsAsync(commands.create({ ...ofBob, id }, deadline), refusal);
  await t.throwsAsync(commands.create({ ...ofBob, id, node: 'n2' }), refusal);
  await cluster.node('n1', {}, { driver });
  await until(async () => (await driver.listVolumes()).length === 0, 'the deletion is carried out');
  const created = await until(() => commands.create({ ...ofBob, id }, deadline), 'the id is free');
  t.like(created, { status: 'available', userId: 'bob' });
});

test.serial('a node that returns removes what was deleted also where another node has its id meanwhile', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const id = await deleteWhileLost(driver, target);
  await insertVolume(store, { id, node: 'n2', status: 'available', userId: 'bob' });
  target.exports.set(id, { id, path: '/dev/alice', address: 'e1.0', readOnly: false, hosts: [] });
  await cluster.node('n1', {}, { driver, target });
  await until(async () => (await store.redis.exists(store.keys.abandoned(id))) === 0, 'the deletion is carried out');
  t.deepEqual(await driver.listVolumes(), []);
  t.false(target.exports.has(id));
  t.like(await store.redis.hgetall(store.keys.volume(id)), { node: 'n2', status: 'available', userId: 'bob' });
});

test.serial('a node that returns ends the export of what was deleted meanwhile before anything else', async (t) => {
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const id = await deleteWhileLost(driver, target);
  let isFirst: boolean | undefined;
  class WatchedTarget extends FakeTarget {
    override async removeExport(removed: string): Promise<void> {
      if (removed === id) isFirst ??= (await store.redis.exists(store.keys.volume(id))) === 0;
      return super.removeExport(removed);
    }
  }
  const watched = new WatchedTarget();
  watched.exports.set(id, { id, path: '/dev/alice', address: 'e1.0', readOnly: false, hosts: [] });
  await cluster.node('n1', {}, { driver, target: watched });
  t.true(isFirst, 'the deletion can fail, and the host was detached');
  t.false(watched.exports.has(id));
});

test.serial('an export that a failed attach or deletion left is ended with the next report', async (t) => {
  const target = new FakeTarget();
  await cluster.node('n1', {}, { target });
  const { id } = await commands.create(ofAlice, deadline);
  const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: ['52:54:00:00:00:01'] };
  target.ensureExport = async (spec) => {
    target.exports.set(spec.id, spec);
    throw errors.exportFailed(spec.id, 'half of it');
  };
  target.removeFault = errors.exportFailed(id, 'storage hangs');
  await t.throwsAsync(commands.attach(id, attachment, deadline), { code: 'ExportFailed' });
  t.like(await volumesOf(store).lookup(id), { status: 'error_attaching', attachStatus: 'detached' });
  t.true(target.exports.has(id));
  target.removeFault = undefined;
  await until(() => !target.exports.has(id), 'it is ended');
});

test.serial('an audit ends the export of a volume whose deletion failed: its host is attached no more', async (t) => {
  const target = new FakeTarget();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { target });
  const { id } = await commands.create(ofAlice, deadline);
  await store.redis.hset(store.keys.volume(id), 'status', 'error_deleting');
  target.exports.set(id, { id, path: '/dev/alice', address: 'e1.0', readOnly: false, hosts: ['x'] });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, [{ what: 'is exported although it is not attached', fix: 'end the export', fixed: true }]);
  t.false(target.exports.has(id));
  t.deepEqual((await nodes.audit('n1', { repair: false, remove: [] }, deadline)).findings, []);
});

test.serial('a volume that was deleted and then adopted by another node keeps its storage', async (t) => {
  const driver = new FakeDriver();
  const id = await deleteWhileLost(driver);
  await insertVolume(store, { id, node: 'n2', status: 'available' });
  const createTime = (await store.redis.hget(store.keys.abandoned(id), 'createTime')) ?? '';
  await commit(store, { edits: [{ kind: 'volume', id, set: { createTime } }] });
  const node = await cluster.node('n1', {}, { driver });
  t.is(await store.redis.exists(store.keys.abandoned(id)), 0);
  t.like(await node.getVolume(id), { node: 'n2', status: 'available' });
  t.is((await driver.listVolumes()).length, 1, 'it may be the only copy');
});

test.serial('a node that returns tries to remove what was deleted until it can', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const id = await deleteWhileLost(driver);
  await insertVolume(store, { id, node: 'n2', status: 'available', userId: 'bob' });
  driver.failOnce('deleteVolume', errors.volumeBusy(id, 'mounted on /mnt'));
  await cluster.node('n1', {}, { driver });
  const problems = async () => (await lookupNode(store, 'n1')).problems.join('\n');
  await until(async () => (await problems()).includes('mounted on /mnt'), 'the failure is reported');
  await until(async () => (await store.redis.exists(store.keys.abandoned(id))) === 0, 'the deletion is carried out');
  t.deepEqual(await driver.listVolumes(), []);
  await until(async () => (await problems()) === '', 'the problem is over');
});

test.serial('storage of a deleted volume gets no record on another node to which its disk was moved', async (t) => {
  const driver = new FakeDriver();
  const id = await deleteWhileLost(driver);
  await cluster.node('n2', {}, { driver });
  const problems = async () => (await lookupNode(store, 'n2')).problems.join('\n');
  await until(async () => /was deleted while its node n1 was lost/.test(await problems()), 'it is reported');
  t.is(await store.redis.exists(store.keys.volume(id)), 0);
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n2', { repair: true, remove: [] }, deadline);
  t.deepEqual(
    findings.map(({ object, fixed }) => [object, fixed]),
    [[`volume ${id}`, false]],
  );
  await nodes.audit('n2', { repair: false, remove: [id] }, deadline);
  t.deepEqual(await driver.listVolumes(), []);
});
