import { randomUUID } from 'node:crypto';
import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import type { BlockstoreError } from '../../../lib/errors.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { foundAsSnapshot, snapshotOf, spec } from '../../lib/drivers/subject.ts';

/** What an audit removes is removed only while the node has its lease, and by records that the replicas have. */

const deadline = { deadlineMs: 30_000 };
const rarely = { report_interval: '600', node_down_time: '3600' };

test('an audit that loses the lease removes nothing more, and leaves exports', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const { redis, keys } = await cluster.store();
  const driver = new FakeDriver();
  const faulty = new FaultyDriver(driver);
  const target = new FakeTarget();
  const fenced = Promise.withResolvers<BlockstoreError>();
  await cluster.node('n1', rarely, { driver: faulty, target }, { onFenced: fenced.resolve });
  const removed = [randomUUID(), randomUUID()];
  for (const id of removed) await driver.createVolume(spec({ id, size: 1 }));
  const gone = spec({ size: 1 });
  const snapshot = snapshotOf(gone);
  await driver.createVolume(gone);
  await driver.snapshots.createSnapshot(snapshot);
  await driver.deleteVolume(gone);
  target.exports.set('gone', { id: 'gone', address: 'e1.9', path: '/x', readOnly: false, hosts: [] });
  const release = faulty.holdOnce('deleteVolume');
  t.teardown(release);
  const request = { repair: true, remove: [...removed, snapshot.id], recordsOnly: false };
  const auditing = (await cluster.nodeCommands()).audit('n1', request, deadline);
  auditing.catch(() => undefined); // a node that has lost its lease does not answer
  await until(() => faulty.isHeld('deleteVolume'), 'the first storage is being removed');
  await redis.hset(keys.node('n1'), 'token', `${Date.now() + 1000}-another`);
  release();
  t.is((await fenced.promise).code, 'Fenced');
  t.is((await driver.listVolumes()).length, 1);
  t.deepEqual(await driver.snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
  t.deepEqual([...target.exports.keys()], ['gone']);
});

test('an audit removes no storage before the replicas have what its decision rests on', async (t) => {
  const port = String(await freePort());
  const options = ['--bind', '127.0.0.1', '--port', port, '--repl-diskless-sync-delay', '0'];
  const cluster = await Cluster.over(await RedisServer.start(...options));
  t.teardown(() => cluster.close());
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', port);
  t.teardown(() => replica.stop());
  const { redis } = await cluster.store();
  const follows = () =>
    until(async () => (await redis.info('replication')).includes('state=online'), 'the replica follows');
  await follows();
  const driver = new FakeDriver();
  const id = randomUUID();
  await cluster.node('n1', { ...rarely, redis_min_replicas: '1' }, { driver });
  await driver.createVolume(spec({ id, size: 1 }));
  const commands = await cluster.nodeCommands();
  const remove = async () =>
    (await commands.audit('n1', { repair: false, remove: [id], recordsOnly: false }, deadline)).findings;

  await replica.down('SIGKILL');
  const [refused] = await remove();
  t.like(refused, { object: `volume ${id}`, fixed: false });
  t.regex(refused?.failure ?? '', /only 0 of 1 replicas/);
  t.is((await driver.listVolumes()).length, 1);

  await replica.up();
  await follows();
  await until(async () => (await remove()).length === 0, 'it is removed');
  t.deepEqual(await driver.listVolumes(), []);
});
