import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster } from './storage-cluster.ts';

/** A volume on LVM that hosts write to moves from one storage node to the other. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 2, flags: { address_quarantine: '0' } });
});

test.after.always(async () => {
  await cluster?.close();
});

test.serial('a volume with a file system moves between two nodes; each host finds the same data', async (t) => {
  t.timeout(15 * 60_000);
  await cluster.on(2).output('volume create 0 --name data --node node1');
  const { device: first = '' } = await cluster.on(2).volume('attach data --host-device');
  await cluster.node(2).sh(`set -e
    mkfs.ext4 -q ${first}; mkdir -p /run/data; mount ${first} /run/data
    dd if=/dev/urandom of=/run/data/file bs=1M count=20 status=none; umount /run/data`);
  const sumOf = (node: number, device: string) => cluster.node(node).sh(`sha256sum <${device}`);
  const before = await sumOf(2, first);
  t.deepEqual((await cluster.on(2).run('volume migrate data')).codes, ['VolumeAttached']);

  const began = performance.now();
  await cluster.on(2).output('volume detach data');
  const { node } = await cluster.on(1).volume('migrate data --to node2');
  t.is(node, 'node2');
  const { device: second = '' } = await cluster.on(1).volume('attach data --host-device');
  t.log(`away from its hosts for ${((performance.now() - began) / 1000).toFixed(1)} s`);
  t.is(await sumOf(1, second), before);
  await cluster.node(1).sh(`set -e
    e2fsck -fn ${second}; mkdir -p /run/data; mount ${second} /run/data; echo more >/run/data/more; umount /run/data`);
  await cluster.on(1).output('volume detach data');

  t.regex((await cluster.on(1).output('node drain node2')).trim(), /node1@/);
  const { device: third = '' } = await cluster.on(2).volume('attach data --host-device');
  await cluster.node(2).sh(`set -e; mount ${third} /run/data; grep -q more /run/data/more; umount /run/data`);
  await cluster.on(2).output('volume detach data');
  await cluster.on(2).output('node open node2');
  await cluster.on(2).output('volume delete data');
  for (const number of [1, 2]) {
    await until(async () => (await cluster.logicalVolumes(number)).length === 0, `node${number} has no volume`);
  }
});
