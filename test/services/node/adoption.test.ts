import { once } from 'node:events';
import test from 'ava';
import type { DeleteOptions, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type ScriptAnswer, Store } from '../../../lib/redis/store.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import { Cluster } from '../../support/cluster.ts';

/** Nodes that start over what an earlier run or a loss of Redis left. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

/** Its deletions take until somebody ends them. */
class WipingDriver extends FakeDriver {
  readonly wiping = Promise.withResolvers<AbortSignal>();

  override async deleteVolume(_volume: VolumeSpec, { signal }: DeleteOptions = {}): Promise<void> {
    if (!signal) throw new Error('a wiping that nobody can end');
    this.wiping.resolve(signal);
    await once(signal, 'abort');
    throw signal.reason;
  }
}

/** Redis goes at the first report after a wiping has begun, with which a start ends. */
class GoingStore extends Store {
  wiping: Promise<unknown> = Promise.resolve();
  private reports = 0;

  /** Heartbeats have a connection of their own. */
  override async onOwnConnection(): Promise<Store> {
    return this;
  }

  override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
    if (call[0] !== 'report' || (this.reports += 1) < 2) return super.run(...call);
    await this.wiping;
    throw errors.redisUnreachable('the test', 'it went');
  }
}

test.serial('a start that fails leaves nothing at work', async (t) => {
  const commands = await cluster.commands();
  const node = await cluster.node('n1');
  const { id } = await commands.create({ size: 1, userId: 'user', projectId: 'project' }, { deadlineMs: 10_000 });
  await node.stop();
  await commands.delete(id);
  const driver = new WipingDriver();
  const going = new GoingStore(store.connection, 'blockstore');
  going.wiping = driver.wiping.promise;
  await t.throwsAsync(cluster.node('n1', {}, { driver }, { store: going }), { code: 'RedisUnreachable' });
  t.true((await driver.wiping.promise).aborted);
  t.is((await volumesOf(store).lookup(id)).status, 'deleting', 'the next start resumes it');
});

test.serial('leftovers of an export whose volume is gone are removed at a start', async (t) => {
  class TracesTarget extends NoneTarget {
    readonly traces = new Set<string>();

    override async listTraces(): Promise<string[]> {
      return [...this.traces];
    }

    override async removeExport(id: string): Promise<void> {
      this.traces.delete(id);
    }
  }
  const [driver, target] = [new FakeDriver(), new TracesTarget()];
  const node = await cluster.node('n1', {}, { driver, target });
  const newVolume = { size: 1, userId: 'user', projectId: 'project' };
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, { deadlineMs: 10_000 });
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, { deadlineMs: 10_000 });
  await node.stop();
  target.traces.add(id).add('gone');
  await cluster.node('n1', {}, { driver, target });
  t.deepEqual([...target.traces], [id]);
});
