import test, { type ExecutionContext } from 'ava';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { declareLost } from '../../lib/client/declare-lost.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { lookupNode } from '../../lib/models/node.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { FakeTarget } from '../support/fake-target.ts';
import { until } from '../support/until.ts';

/** A Redis at `maxmemory` that evicts nothing: what needs no memory, or gives some back, still works. */

const newVolume = { size: 1, userId: 'user', projectId: 'project', node: 'n1' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const deadline = { deadlineMs: 60_000 };

interface Place {
  cluster: Cluster;
  store: Store;
  commands: VolumeCommands;
  backend: { driver: FakeDriver; target: FakeTarget };
}

async function setUp(t: ExecutionContext): Promise<Place> {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const backend = { driver: new FakeDriver(), target: new FakeTarget() };
  return { cluster, store: await cluster.store(), commands: await cluster.commands(), backend };
}

async function fill({ redis }: Store): Promise<void> {
  await redis.config('SET', 'maxmemory', '1');
}

test('a node that has volumes on its AoE shelf starts with a full Redis, and detaches and deletes', async (t) => {
  const { cluster, store, commands, backend } = await setUp(t);
  const node = await cluster.node('n1', {}, backend);
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  backend.target.exports.clear(); // as after a boot of the machine
  await fill(store);
  await cluster.node('n1', {}, backend);
  t.true(backend.target.exports.has(id), 'it is exported again');
  t.deepEqual((await lookupNode(store, 'n1')).problems, []);
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.is(await volumesOf(store).find(id), undefined);
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await backend.driver.listVolumes() }]), []);
});

test('a node returns with a full Redis where a volume that was deleted meanwhile exists again elsewhere', async (t) => {
  const { cluster, store, commands, backend } = await setUp(t);
  const node = await cluster.node('n1', {}, backend);
  await cluster.node('n2');
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  await declareLost(store, 'n1');
  await commands.delete(id, deadline);
  await commands.create({ ...newVolume, id, node: 'n2' }, deadline);
  await fill(store);
  await cluster.node('n1', {}, backend);
  t.is((await lookupNode(store, 'n1')).state, 'up');
  t.is((await volumesOf(store).lookup(id)).node, 'n2');
  t.deepEqual(await store.redis.zrange(store.keys.nodeAbandoned('n1'), '0', '-1'), []);
});

test('an export that ended is started again while a full Redis refuses what it has lost', async (t) => {
  const { cluster, store, commands, backend } = await setUp(t);
  await cluster.node('n1', {}, backend);
  const { id } = await commands.create(newVolume, deadline);
  const other = await commands.create(newVolume, deadline);
  for (const volume of [id, other.id]) await commands.attach(volume, attachment, deadline);
  await commands.detach(other.id, deadline);
  await commands.delete(other.id, deadline);
  await fill(store);
  t.is(await store.redis.del(store.keys.quarantine('n1')), 1);
  backend.target.exports.clear();
  await until(() => backend.target.exports.has(id), 'it is exported again');
});
