import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import type { FoundVolume } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { Node } from '../../../lib/models/node.ts';
import { Volume } from '../../../lib/models/volume.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What changes while a starting node compares its records with its storage. */

/** Something happens just after storage was first looked at. */
class DriverWithMoment extends FakeDriver {
  afterFirstLook: (() => Promise<void>) | undefined;

  override async listVolumes(): Promise<FoundVolume[]> {
    const found = await super.listVolumes();
    const happens = this.afterFirstLook;
    this.afterFirstLook = undefined;
    await happens?.();
    return found;
  }
}

test('a volume whose deletion ends while the node starts does not come back', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const driver = new DriverWithMoment();
  const before = await cluster.node('n1', {}, { driver });
  const id = await before.createVolume(0, 'user', 'project');
  await before.stop();
  const store = await cluster.store();
  const volume = await Volume.lookup(store, id);
  driver.afterFirstLook = async () => {
    await driver.deleteVolume(spec({ id }));
    await volume.destroy();
  };
  await cluster.node('n1', {}, { driver });
  t.deepEqual(await Array.fromAsync(Volume.records(store).all()), []);
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test('storage without a record has its number again, whoever waits for one', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const driver = new FakeDriver();
  const before = await cluster.node('n1', {}, { driver });
  const id = await before.createVolume(0, 'user', 'project');
  await before.stop();
  const store = await cluster.store();
  const { aoeDevice } = (await Volume.lookup(store, id)).state;
  await (await Volume.lookup(store, id)).destroy();
  await Node.enter(store, { name: 'n1', holder: 'test', leaseMs: 600_000, topic: 'volume' });
  const commands = await cluster.commands();
  const waiting = await commands.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' });
  await store.redis.del(store.keys.lease('n1'));
  const node = await cluster.node('n1', {}, { driver });
  await until(async () => (await node.getVolume(waiting.id)).status === 'available', 'the other one is made');
  t.is((await node.getVolume(id)).aoeDevice, aoeDevice);
});

test('a start ends with the failure of one volume that concerns all', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const stored = new FakeDriver();
  const before = await cluster.node('n1', {}, { driver: stored });
  await Promise.all(Array.from({ length: 15 }, () => before.createVolume(0, 'user', 'project')));
  await before.stop();
  const driver = new FaultyDriver(stored);
  driver.failOnce('ensureVolume', errors.fenced('n1')); // while the next volumes are still being gone through
  await t.throwsAsync(cluster.node('n1', {}, { driver }), { code: 'Fenced' });
});
