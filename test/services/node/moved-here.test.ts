import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { NodeCommands } from '../../../lib/client/node-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { SharedDriver } from '../../support/shared-driver.ts';
import { until } from '../../support/until.ts';

/**
 * Redis has lost that a volume migrated from n1 to n2, and what happened to it since: its record is of n1, whose storage was removed. n2 has
 * seen its storage while the record still spoke against taking the volume.
 */

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let nodes: NodeCommands;
let first: { driver: FakeDriver; target: FakeTarget };
let second: { driver: FakeDriver; target: FakeTarget };

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  nodes = await cluster.nodeCommands();
  [first, second] = [newBackend(), newBackend()];
});
test.afterEach.always(() => cluster.close());

const newBackend = () => ({ driver: new FakeDriver(), target: new FakeTarget() });
const problems = async () => (await lookupNode(store, 'n2')).problems.join('\n');
const isForeign = async () => /is here, but its record \(.*\) is of node n1/.test(await problems());

/** A volume of n1 by its record alone, with a snapshot that has no record. */
async function moved({ isAttached }: { isAttached: boolean }): Promise<{ id: string; snapshot: string }> {
  const { id } = await volumes.create({ ...newVolume, node: 'n1' }, deadline);
  if (isAttached) await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const [found] = await first.driver.listVolumes();
  const { address: _, ...labels } = found?.labels ?? {};
  const spec = { id, size: 1, sizeBytes: 2 ** 30, labels: { ...labels, from: 'n1@fake' } };
  await second.driver.createVolume(spec);
  const snapshot = randomUUID();
  await second.driver.snapshots.createSnapshot({ id: snapshot, volume: spec, labels: { ...labels, name: 'kept' } });
  await first.driver.deleteVolume(spec);
  first.target.exports.delete(id);
  return { id, snapshot };
}

const isMissing = async (id: string) => (await volumesOf(store).lookup(id)).fault?.code === 'StorageMissing';
const isTaken = async (id: string) => {
  const volume = await volumesOf(store).find(id);
  return volume?.node === 'n2' && volume.status === 'available';
};

/** How n2 finds the storage. */
const ways: readonly { name: string; find: () => Promise<unknown> }[] = [
  {
    name: 'a comparison',
    find: () => nodes.audit('n2', { repair: true, remove: [] }, deadline),
  },
  { name: 'its start', find: () => cluster.node('n2', {}, second) },
];

for (const { name, find } of ways) {
  for (const isAttached of [false, true]) {
    const when = isAttached ? 'once its hosts are detached' : 'once its former node misses it';
    test.serial(`a node takes a volume that ${name} has found there ${when}`, async (t) => {
      await cluster.node('n1', {}, first);
      if (name === 'a comparison') await cluster.node('n2', {}, second);
      const { id, snapshot } = await moved({ isAttached });
      await find();
      await until(isForeign, 'the storage is a problem of its node');
      await nodes.audit('n1', { repair: true, remove: [] }, deadline);
      if (isAttached) {
        t.true(await isMissing(id));
        const { reportTime: before = 0 } = await lookupNode(store, 'n2');
        await until(
          async () => ((await lookupNode(store, 'n2')).reportTime ?? 0) > before + 2000,
          'reports have passed',
        );
        t.like(await volumesOf(store).lookup(id), { node: 'n1', attachStatus: 'attached' });
        t.true(await isForeign());
        await volumes.detach(id, deadline);
      }
      await until(() => isTaken(id), 'it is available there', 120_000);
      await until(async () => (await problems()) === '', 'no problem is left');
      await until(async () => (await snapshotsOf(store).find(snapshot)) !== undefined, 'its snapshot is recorded');
      t.like(await snapshotsOf(store).lookup(snapshot), { volume: id, name: 'kept', status: 'available' });
    });
  }
}

test.serial('a volume that went to storage of several nodes is restored by an audit of one of them', async (t) => {
  second.driver = new SharedDriver();
  await cluster.node('n1', {}, first);
  const { id } = await moved({ isAttached: false });
  for (const name of ['n2', 'n3']) await cluster.node(name, {}, { driver: second.driver });
  await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.true(await isMissing(id));
  const { findings } = await nodes.audit('n3', { repair: false, remove: [] }, deadline);
  const [found] = findings;
  t.like(found, { object: `volume ${id}`, fix: 'take the volume, which has moved here' });
  await nodes.audit('n3', { repair: true, remove: [] }, deadline);
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available', 120_000);
  t.like(await volumesOf(store).lookup(id), { node: 'n3', fault: undefined });
  t.deepEqual((await nodes.audit('n2', { repair: false, remove: [] }, deadline)).findings, []);
});

test.serial('storage of a volume that is deleted meanwhile stays without a record', async (t) => {
  await cluster.node('n1', {}, first);
  await cluster.node('n2', {}, second);
  const { id } = await moved({ isAttached: true });
  await nodes.audit('n2', { repair: true, remove: [] }, deadline);
  await until(isForeign, 'the storage is a problem of its node');
  // At once, as a request would that comes before the next report of n2.
  await store.redis.del(store.keys.volume(id));
  await until(async () => (await problems()) === '', 'its record is no problem any more');
  t.is(await volumesOf(store).find(id), undefined);
  t.is((await second.driver.listVolumes()).length, 1);
});
