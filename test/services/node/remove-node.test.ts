import test from 'ava';
import { removeNode } from '../../../lib/client/remove-node.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';

/** A node that was removed leaves nothing in Redis. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project', node: 'n1' };
const deadline = { deadlineMs: 20_000 };

test.serial('a node is removed when it is stopped and has no volumes, and leaves no key and no shelf', async (t) => {
  const backend = { driver: new FakeDriver(), target: new FakeTarget() };
  const node = await cluster.node('n1', {}, backend);
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await t.throwsAsync(removeNode(store, 'n1', 'volume'), { code: 'NodeUp' });
  await node.stop();
  await t.throwsAsync(removeNode(store, 'n1', 'volume'), { code: 'NodeHasVolumes' });
  const again = await cluster.node('n1', {}, backend);
  await commands.delete(id, deadline);
  await again.stop();
  t.like(await lookupNode(store, 'n1'), { state: 'stopped', shelves: [1] });

  await removeNode(store, 'n1', 'volume');
  t.deepEqual(await store.redis.keys('*n1*'), []);
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
  t.deepEqual(await disagreements(store, []), []);
  await t.throwsAsync(removeNode(store, 'n1', 'volume'), { code: 'NodeNotFound' });
});

test.serial('a removal that ended half-way is completed by the next', async (t) => {
  const node = await cluster.node('n1', {}, { target: new FakeTarget() });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  await node.stop();
  await store.redis.del(store.keys.node('n1'));
  await t.throwsAsync(removeNode(store, 'n1', 'volume'), { code: 'NodeNotFound' });
  t.deepEqual(await store.redis.hgetall(store.keys.shelfOwners()), {});
  t.is(await store.redis.exists(store.keys.quarantine('n1')), 0);
});
