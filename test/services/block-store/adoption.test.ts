import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { Volume } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../agreement.ts';
import { Cluster } from '../../cluster.ts';

/** An emptied Redis, and nodes that make records for what they have. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

/** Somebody looks at the wire after this node has, and before it has its shelves again. */
class SeenMeanwhile extends FakeDriver {
  seen: Readonly<Record<string, string>> = {};

  override async listVolumes() {
    if (Object.keys(this.seen).length > 0) await store.redis.hset(store.keys.heldNumbers(), this.seen);
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
  driver.seen = {};
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
