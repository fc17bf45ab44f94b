import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster, group } from './storage-cluster.ts';

/** A disk is added to the group while the daemon runs. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 1, storageNodes: 0, diskGiB: 1 });
});

test.after.always(async () => {
  await cluster?.close();
});

test.serial('a grown group is used after the next report, without a restart', async (t) => {
  const node = cluster.node(1);
  await node.sh(`vgcreate --metadatasize 64m ${group} /dev/ubda`);
  await cluster.startDaemon(1, { storage_dev: '', storage_create: 'false' });
  const first = await cluster.on(1).volume('create 0');
  t.like(await cluster.on(1).run('volume create 5'), { exitCode: 6, codes: ['NoSpace'] });
  const disk = await node.addDisk(10);
  await node.sh(`vgextend --metadatasize 64m ${group} ${disk}`);
  const second = await until(() => cluster.on(1).volume('create 5'), 'the next report');
  t.is(second['status'], 'available');
  await cluster.on(1).output(`volume delete ${first.id} ${second.id}`);
  t.deepEqual(await cluster.logicalVolumes(1), []);
});
