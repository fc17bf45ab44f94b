import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import type { FoundVolume } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { errors } from '../../../lib/errors.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { fakeNode, loseRecord } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Changes while a starting node compares its records with its storage. */

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
  driver.afterFirstLook = async () => {
    await driver.deleteVolume(spec({ id }));
    await loseRecord(store, id);
  };
  const node = await cluster.node('n1', {}, { driver });
  t.deepEqual(await Array.fromAsync(node.all()), []);
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test('storage without a record keeps its address, also where a creation waits for one', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const backend = { driver: new FakeDriver(), target: new FakeTarget() };
  const before = await cluster.node('n1', {}, backend);
  const id = await before.createVolume(0, 'user', 'project');
  await before.stop();
  const store = await cluster.store();
  const { address } = await volumesOf(store).lookup(id);
  await loseRecord(store, id);
  await fakeNode(store, 'n1', { backends: [{}] });
  const commands = await cluster.commands();
  const waiting = await commands.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' });
  await store.redis.del(store.keys.lease('n1'));
  const node = await cluster.node('n1', {}, backend);
  await until(async () => (await node.getVolume(waiting.id)).status === 'available', 'the other one is created');
  t.is((await node.getVolume(id)).address, address);
});

test('a start fails with the failure of one volume that concerns all', async (t) => {
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
