import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster } from './storage-cluster.ts';

/** A volume on LVM that hosts write to moves from one storage node to the other. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 3, storageNodes: 2, flags: { address_quarantine: '0' } });
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

/** Writes files with fsync, keeps the same ones in memory, and notes the time of each write, in seconds. */
const writer = `mkdir -p /run/mirror; i=0
while [ ! -e /run/stop ]; do
  head -c 65536 /dev/urandom >/run/block; n=$((i % 100)); i=$((i + 1))
  dd if=/run/block of=/run/data/file-$n bs=64k conv=fsync status=none || echo "write $i failed"
  cp /run/block /run/mirror/file-$n; cut -d' ' -f1 /proc/uptime
done
echo ended`;

test.serial('an attached volume moves between two nodes while its host writes, which waits for seconds', async (t) => {
  t.timeout(20 * 60_000);
  const host = cluster.node(3);
  await cluster.on(3).output('volume create 1 --name busy --node node1');
  const { device = '', address: before } = await cluster.on(3).volume('attach busy --host-device');
  await host.sh(`mkfs.ext4 -q ${device}; mkdir -p /run/data; mount ${device} /run/data`);
  const writing = await host.start('writer', writer);
  const times = async () =>
    (await writing.log()).split('\n').flatMap((line) => (/^[\d.]+$/.test(line) ? Number(line) : []));
  const goesOn = async (from: number) =>
    until(async () => (await times()).length > from + 50, 'it is written', 300_000);
  await goesOn(0);
  for (const to of ['node2', 'node1']) {
    const { length } = await times();
    const began = performance.now();
    const moved = await cluster.on(3).volume(`migrate busy --to ${to}`);
    const tookS = (performance.now() - began) / 1000;
    t.like(moved, { node: to, status: 'in-use', address: before });
    await goesOn((await times()).length);
    const all = (await times()).slice(length - 1);
    const stallS = Math.max(...all.slice(1).map((time, index) => time - (all[index] ?? time)));
    t.log(`to ${to}: ${tookS.toFixed(1)} s, of which the host waited ${stallS.toFixed(1)} s`);
    t.true(stallS < 120, `${stallS} s`);
  }
  await host.sh('touch /run/stop');
  t.true(await writing.says('ended', 120_000));
  t.notRegex(await writing.log(), /failed/);
  await host.sh(`umount /run/data; e2fsck -fn ${device}; mount ${device} /run/data
    rmdir /run/data/lost+found 2>/dev/null || :; diff -r /run/mirror /run/data; umount /run/data`);
  t.notRegex(await host.sh('dmesg'), /I.O error|Buffer I.O/i);
  await cluster.on(3).output('volume detach busy');
  await cluster.on(3).output('volume delete busy');
});
