import test from 'ava';
import { clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { type BlockstoreError, errors } from '../../../lib/errors.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';

/** Storage that several nodes serve may be another node's once the lease is lost: it has taken the operation over. */

const given = { export_unattached: 'true', num_shell_tries: '1', report_interval: '600', node_down_time: '3600' };

test('a creation that fails after the lease was lost leaves its storage', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const { redis, keys } = await cluster.store();
  const driver = new FakeDriver();
  const target = new FakeTarget();
  const fenced = Promise.withResolvers<BlockstoreError>();
  await cluster.node('n1', given, { driver, target }, { onFenced: fenced.resolve });
  target.ensureExport = async ({ id }) => {
    await redis.hset(keys.node('n1'), 'token', `${Date.now() + 1000}-another`);
    throw errors.exportFailed(id, 'the test fails it');
  };
  const { id } = await (await cluster.commands()).create({ size: 1, userId: 'user', projectId: 'project' });
  t.is((await fenced.promise).code, 'Fenced');
  t.deepEqual(
    (await driver.listVolumes()).map((found) => found.id),
    [id],
  );
});

test('a snapshot that fails after the lease was lost stays', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const store = await cluster.store();
  const { redis, keys } = store;
  const driver = new FakeDriver();
  const fenced = Promise.withResolvers<BlockstoreError>();
  await cluster.node('n1', given, { driver, target: new FakeTarget() }, { onFenced: fenced.resolve });
  const { commands, snapshots } = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  const owner = { userId: 'user', projectId: 'project' };
  const { id } = await commands.create({ size: 1, ...owner }, { deadlineMs: 20_000 });
  const create = driver.snapshots.createSnapshot.bind(driver.snapshots);
  driver.snapshots.createSnapshot = async (snapshot) => {
    await create(snapshot);
    await redis.hset(keys.node('n1'), 'token', `${Date.now() + 1000}-another`);
    throw errors.snapshotMissing(snapshot.id, 'the test fails it');
  };
  const snapshot = await snapshots.create(id, owner);
  t.is((await fenced.promise).code, 'Fenced');
  t.deepEqual(
    (await driver.snapshots.listSnapshots()).map((found) => found.id),
    [snapshot.id],
  );
});
