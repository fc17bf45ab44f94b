import { once } from 'node:events';
import test from 'ava';
import type { DeleteOptions, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { Volume } from '../../../lib/models/volume.ts';
import { type ScriptAnswer, Store } from '../../../lib/redis/store.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';

/** An emptied Redis, and nodes that make records for what they have. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

/** Somebody looks at the wire before this node has its shelves again. */
class SeenMeanwhile extends FakeDriver {
  seen: Readonly<Record<string, string>> = {};

  override async listVolumes() {
    const { seen } = this;
    this.seen = {};
    if (Object.keys(seen).length > 0) await store.redis.hset(store.keys.heldNumbers(), seen);
    return super.listVolumes();
  }
}

/** A node with a volume, without its records; its number is kept back for the given reason while the node starts again. */
async function numberAfter(reason: string): Promise<string[]> {
  const driver = new SeenMeanwhile();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const wanted = { size: 1, userId: 'user', projectId: 'project' };
  const { id, aoeDevice } = await commands.create(wanted, { deadlineMs: 10_000 });
  await node.stop();
  await store.redis.flushall();
  driver.seen = { [aoeDevice.slice(1)]: reason };
  await cluster.node('n1', {}, { driver });
  const volumes = await driver.listVolumes();
  const again = await Volume.lookup(store, id);
  const held = Object.values(await store.redis.hgetall(store.keys.heldNumbers()));
  const problems = await disagreements(store, [{ node: 'n1', volumes }]);
  return [aoeDevice, again.state.aoeDevice, held.join(), ...problems];
}

test.serial('a volume keeps its number although another node saw its export before its record was there', async (t) => {
  // The address of the loopback interface, which every machine has.
  const [before = '', after] = await numberAfter('wire 00:00:00:00:00:00');
  t.is(after, before);
});

test.serial('a number that somebody else was seen with meanwhile is given to no volume', async (t) => {
  const [before, after, held, ...problems] = await numberAfter('wire 02:00:00:00:00:07');
  t.not(after, before);
  t.is(held, 'wire 02:00:00:00:00:07');
  t.deepEqual(problems, []);
});

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

/** Redis goes at the first report after a wiping has begun: the last thing that a start does. */
class GoingStore extends Store {
  wiping: Promise<unknown> = Promise.resolve();
  private reports = 0;

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
  await t.throwsAsync(cluster.node('n1', {}, { driver }, going), { code: 'RedisUnreachable' });
  t.true((await driver.wiping.promise).aborted);
  t.is((await Volume.lookup(store, id)).state.status, 'deleting', 'the next start goes on with it');
});

test.serial('what is left of an export whose volume is gone is cleared away at a start', async (t) => {
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
  const wanted = { size: 1, userId: 'user', projectId: 'project' };
  const { id } = await (await cluster.commands()).create(wanted, { deadlineMs: 10_000 });
  await node.stop();
  target.traces.add(id).add('gone');
  await cluster.node('n1', {}, { driver, target });
  t.deepEqual([...target.traces], [id]);
});
