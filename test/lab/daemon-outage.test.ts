import test from 'ava';
import { lookupNode } from '../../lib/models/node.ts';
import { until } from '../support/until.ts';
import { StorageCluster } from './storage-cluster.ts';
import { Writer } from './writer.ts';

/** The daemon of node1 and Redis stop and return while a process on node2 writes to a volume. */

let cluster: StorageCluster;
let writer: Writer;
let id: string;
let vblade: string;

test.before(async () => {
  cluster = await StorageCluster.create({
    nodes: 2,
    storageNodes: 1,
    // A slow wipe, so that deletes are under way when the daemon is killed, however busy this machine is.
    flags: { report_interval: '2', node_down_time: '15', volume_clear_mibps: '20' },
  });
  ({ id } = await cluster.on(2).volume('create 1 --node node1'));
  const { device = '' } = await cluster.on(2).volume(`attach ${id} --host-device`);
  vblade = await cluster.vbladeOf(1, id);
  writer = await Writer.start(cluster.node(2), device);
});

test.after.always(async () => {
  await cluster?.close();
});

test.serial('a killed and restarted daemon finds its export without an I/O error or a second vblade', async (t) => {
  await cluster.daemon(1).kill();
  await writer.goesOn();
  t.is(await cluster.vbladeOf(1, id), vblade);
  await cluster.startDaemon(1);
  await writer.goesOn();
  t.is(await cluster.vbladeOf(1, id), vblade);
  t.like(await cluster.record(id), { status: 'in-use', attachStatus: 'attached' });
});

test.serial('an export continues while its daemon is stopped and started again', async (t) => {
  await cluster.daemon(1).stop();
  t.regex(await cluster.daemon(1).log(), /blockstored has stopped; exports continue/);
  await writer.goesOn();
  await cluster.startDaemon(1);
  await writer.goesOn();
  t.is(await cluster.vbladeOf(1, id), vblade);
});

test.serial(
  'while Redis is unreachable, exports continue and changes are refused; then all is as before',
  async (t) => {
    await cluster.lab.redis.kill();
    const refused = await cluster.on(2).run('volume create 0');
    t.like(refused, { exitCode: 7, codes: ['RedisUnreachable'] });
    await writer.goesOn();
    t.is(await cluster.vbladeOf(1, id), vblade);
    await cluster.lab.redis.start();
    const made = await until(async () => cluster.on(2).volume('create 0'), 'a volume can be made again');
    await cluster.on(2).output(`volume delete ${made.id}`);
    const log = await cluster.daemon(1).log();
    t.is(log.match(/ is unreachable:/g)?.length, 1, log);
    t.is(log.match(/ is reachable again$/gm)?.length, 1, log);
  },
);

test.serial('a node that is cut off is down and gets no volumes, and continues when it is back', async (t) => {
  const state = async () => (await lookupNode(cluster.store, 'node1')).state;
  await cluster.node(1).partition();
  await until(async () => (await state()) === 'down', 'the node is down');
  t.like(await cluster.on(2).run('volume create 0 --node node1'), { exitCode: 7, codes: ['NodeDown'] });
  await cluster.node(1).heal();
  await until(async () => (await state()) === 'up', 'the node is up again');
  await writer.goesOn();
  t.is(await cluster.vbladeOf(1, id), vblade);
});

test.serial('a daemon killed during creates completes them at its next start, without duplicates', async (t) => {
  const request = { size: 0, userId: 'user', projectId: 'project' };
  const asked = await Promise.all(Array.from({ length: 12 }, () => cluster.commands.create(request)));
  const ids = new Set(asked.map((volume) => volume.id));
  await until(async () => (await cluster.logicalVolumes(1)).length >= 3, 'some of them have storage');
  await cluster.daemon(1).kill();
  await cluster.startDaemon(1);
  await cluster.settled();
  const made = (await cluster.records()).filter((volume) => ids.has(volume.id));
  t.deepEqual(
    made.map(({ status }) => status),
    asked.map(() => 'available'),
  );
  t.deepEqual(await cluster.differences(1), []);
});

test.serial('a daemon killed during deletes completes them at its next start', async (t) => {
  const others = (await cluster.records()).filter((volume) => volume.id !== id);
  await Promise.all(others.map((volume) => cluster.commands.delete(volume.id)));
  await until(async () => (await cluster.logicalVolumes(1)).length <= others.length - 2, 'some of them are gone');
  await cluster.daemon(1).kill();
  t.true((await cluster.records()).length > 1, 'some are left');
  await cluster.startDaemon(1);
  await until(async () => (await cluster.records()).length === 1, 'they are gone');
  t.deepEqual(await cluster.differences(1), []);
});

test.serial('a dead vblade is restarted, and the writer only waits', async (t) => {
  await cluster.node(1).sh(`kill -9 ${vblade}`);
  const next = await until(async () => cluster.vbladeOf(1, id), 'another vblade runs');
  t.not(next, vblade);
  await writer.goesOn();
  t.deepEqual(await cluster.differences(1), []);
});

test.serial('everything written is present', async (t) => {
  t.true(await writer.endsWell());
});
