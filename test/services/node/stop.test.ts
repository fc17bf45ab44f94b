import test from 'ava';
import type { DeleteOptions, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What becomes of operations that are under way when the daemon is stopped. */

/** Not a disk: deletes last until a test or the daemon ends them. */
class SlowDriver extends FakeDriver {
  deleting = Promise.withResolvers<void>();
  finish = Promise.withResolvers<void>();

  override async deleteVolume(volume: VolumeSpec, options: DeleteOptions = {}): Promise<void> {
    this.deleting.resolve();
    options.signal?.addEventListener('abort', () => this.finish.reject(options.signal?.reason));
    await this.finish.promise;
    await super.deleteVolume(volume);
  }
}

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

/** A node with a deletion under way. */
async function deletingNode(given: { stop_timeout: string }) {
  const driver = new SlowDriver();
  const node = await cluster.node('n1', given, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create({ size: 1, userId: 'user', projectId: 'project' }, { deadlineMs: 10_000 });
  await commands.delete(id);
  await driver.deleting.promise;
  return { driver, node, id };
}

test.serial('a stop waits for what is under way', async (t) => {
  const { driver, node } = await deletingNode({ stop_timeout: '50' });
  setTimeout(() => driver.finish.resolve(), 500); // long after a stop that did not wait
  await node.stop();
  t.deepEqual(await Array.fromAsync(node.all()), []);
  t.deepEqual(await driver.listVolumes(), []);
});

test.serial('what takes longer than stop_timeout is left to the next start, which ends it', async (t) => {
  const { driver, node, id } = await deletingNode({ stop_timeout: '1' });
  let hasStopped = false;
  const stopping = node.stop().then(() => (hasStopped = true));
  await until(() => hasStopped, 'the node has stopped');
  await stopping;
  t.is((await node.getVolume(id)).status, 'deleting');
  driver.finish = Promise.withResolvers();
  driver.finish.resolve();
  await cluster.node('n1', {}, { driver });
  await until(async () => (await Array.fromAsync(node.all())).length === 0, 'the volume is gone');
  t.deepEqual(await driver.listVolumes(), []);
});
