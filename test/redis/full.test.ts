import test, { type ExecutionContext } from 'ava';
import type { DeleteOptions, VolumeSpec } from '../../lib/drivers/driver.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { declareLost } from '../../lib/client/declare-lost.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { lookupNode } from '../../lib/models/node.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { FakeTarget } from '../support/fake-target.ts';
import { insertVolume } from '../support/records.ts';
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
  await declareLost(store, 'n1', { topic: 'volume' });
  await commands.delete(id, deadline);
  await insertVolume(store, { id, node: 'n2', status: 'available' });
  await fill(store);
  await cluster.node('n1', {}, backend);
  t.is((await lookupNode(store, 'n1')).state, 'up');
  t.is((await volumesOf(store).lookup(id)).node, 'n2');
  const abandoned = async () => store.redis.zrange(store.keys.nodeAbandoned('n1'), '0', '-1');
  await until(async () => (await abandoned()).length === 0, 'its storage here is deleted');
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

test('a full Redis lets the volume of a lost node be detached, then deleted', async (t) => {
  const { cluster, store, commands, backend } = await setUp(t);
  const node = await cluster.node('n1', {}, backend);
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  await fill(store);
  t.like(await commands.detach(id, deadline), { attachStatus: 'detached' });
  await commands.delete(id, deadline);
  t.is(await volumesOf(store).find(id), undefined);
});

/** Its deletions wait at 37 %. */
class HeldDriver extends FakeDriver {
  readonly gate = Promise.withResolvers<void>();

  override async deleteVolume(volume: VolumeSpec, { progress }: DeleteOptions = {}): Promise<void> {
    progress?.(37);
    await this.gate.promise;
    await super.deleteVolume(volume);
  }
}

test('a full Redis lets a second delete or detach wait for the one under way, and shows its progress', async (t) => {
  const {
    cluster,
    store,
    commands,
    backend: { target },
  } = await setUp(t);
  const driver = new HeldDriver();
  const { gate } = driver;
  await cluster.node('n1', {}, { driver, target });
  const { id } = await commands.create(newVolume, deadline);
  const attached = await commands.create(newVolume, deadline);
  await commands.attach(attached.id, attachment, deadline);
  const unexport = target.removeExport.bind(target);
  target.removeExport = async (one) => {
    if (one === attached.id) await gate.promise;
    await unexport(one);
  };
  await fill(store);
  const requests = [
    () => commands.delete(id, deadline).then(() => 'deleted'),
    () => commands.detach(attached.id, deadline).then(({ attachStatus }) => attachStatus),
  ];
  const first = requests.map((request) => request());
  await until(async () => {
    const [deleted, detached] = await Promise.all([id, attached.id].map((one) => volumesOf(store).find(one)));
    return deleted?.progress === 37 && detached?.task;
  }, 'both are under way').catch((error: unknown) => {
    gate.resolve();
    throw error;
  });
  const second = requests.map((request) => request());
  await until(async () => {
    const requesters = await Promise.all(
      [id, attached.id].map((one) => store.redis.hget(store.keys.volume(one), 'requesters')),
    );
    return requesters.every((text) => text?.includes(' '));
  }, 'each has two requesters').finally(() => gate.resolve());
  t.deepEqual(await Promise.all([...first, ...second]), ['deleted', 'detached', 'deleted', 'detached']);
});
