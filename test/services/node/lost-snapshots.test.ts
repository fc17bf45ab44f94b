import test, { type ExecutionContext } from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { type NodeStorage, disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { insertVolume, transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Snapshots on a node that is declared lost stay with their volume until it returns. */

const deadline = { deadlineMs: 60_000 };
const owner = { userId: 'user', projectId: 'project' };

/** A volume with two snapshots on the only node. */
async function withTwoSnapshots(t: ExecutionContext) {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const store = await cluster.store();
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const volumes = await cluster.commands();
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id } = await volumes.create({ ...owner, size: 1 }, deadline);
  const kept = await snapshots.create(id, owner, deadline);
  const other = await snapshots.create(id, owner, deadline);
  return { cluster, store, driver, node, volumes, snapshots, id, kept, other };
}

test('a volume with snapshots on a lost node stays whole, and is deleted with them when the node is back', async (t) => {
  const { cluster, store, driver, node, volumes, snapshots, id, kept, other: leaving } = await withTwoSnapshots(t);
  await node.stop();
  await snapshots.delete(leaving.id);
  await declareLost(store, 'n1', { topic: 'volume' });
  t.like(await snapshotsOf(store).lookup(leaving.id), { status: 'error_deleting', fault: { code: 'NodeLost' } });
  for (const one of [kept, leaving]) {
    await t.throwsAsync(snapshots.delete(one.id, deadline), { code: 'NodeLost' });
  }
  await t.throwsAsync(snapshots.create(id, owner, deadline), { code: 'WrongStatus' });
  await t.throwsAsync(volumes.delete(id, deadline), { code: 'VolumeHasSnapshots' });
  await t.throwsAsync(removeNode(store, 'n1', { topic: 'volume' }), { code: 'NodeHasVolumes' });

  await cluster.node('n1', {}, { driver });
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'the volume is back');
  t.is((await snapshotsOf(store).lookup(kept.id)).status, 'available');
  for (const one of [kept, leaving]) await snapshots.delete(one.id, deadline);
  await volumes.delete(id, deadline);
  const storage: NodeStorage = {
    node: 'n1',
    volumes: await driver.listVolumes(),
    snapshots: await driver.snapshots.listSnapshots(),
  };
  t.deepEqual([storage.volumes, storage.snapshots], [[], []]);
  t.deepEqual(await disagreements(store, [storage]), []);
});

test('a volume on a lost node whose data are being copied is not deleted with its snapshots: the copies are named', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const store = await cluster.store();
  const node = await cluster.node('n1');
  const volumes = await cluster.commands();
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id } = await volumes.create({ ...owner, size: 1 }, deadline);
  const { id: snapshot } = await snapshots.create(id, owner, deadline);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  const cascade = () => volumes.delete(id, { ...deadline, withSnapshots: true });
  const ofSnapshot = await insertVolume(store, { node: 'n2', fromSnapshot: snapshot, copying: 'true' });
  await t.throwsAsync(cascade(), {
    code: 'SnapshotIsCopied',
    message: `snapshot ${snapshot} is being copied to volume ${ofSnapshot.id}`,
  });
  await transit(store, ofSnapshot.id, 'finishCreate');
  const ofVolume = await insertVolume(store, { node: 'n2', fromVolume: id, copying: 'true' });
  await t.throwsAsync(cascade(), {
    code: 'VolumeIsCopied',
    message: `volume ${id} is being copied to volume ${ofVolume.id}`,
  });
  await transit(store, ofVolume.id, 'finishCreate');
  await cascade();
  t.is(await volumesOf(store).find(id), undefined);
  t.is(await snapshotsOf(store).find(snapshot), undefined);
});

test('a snapshot without storage is in error after a start of its node, and the others are not', async (t) => {
  const { cluster, store, driver, node, volumes, snapshots, id, kept, other: gone } = await withTwoSnapshots(t);
  await node.stop();
  // As after an older state of Redis, which has a record again that was deleted with the storage.
  const volume = { id, size: 1, sizeBytes: sizeInBytes(1), labels: {} };
  await driver.snapshots.deleteSnapshot({ id: gone.id, volume, labels: {} });
  await cluster.node('n1', {}, { driver });
  t.like(await snapshotsOf(store).lookup(gone.id), { status: 'error', fault: { code: 'SnapshotMissing' } });
  t.is((await snapshotsOf(store).lookup(kept.id)).status, 'available');
  for (const one of [kept, gone]) await snapshots.delete(one.id, deadline);
  await volumes.delete(id, deadline);
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
});
