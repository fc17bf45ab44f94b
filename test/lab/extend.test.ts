import test from 'ava';
import { StorageCluster, group } from './storage-cluster.ts';
import { Writer } from './writer.ts';

/** A volume is extended by AoE while its host has it mounted; by iSCSI: iscsi-cases.ts. */

const GiB = 2 ** 30;

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1 });
});

test.after.always(async () => {
  await cluster?.close();
});

test.serial('a mounted ext4 grows online, with all of its data, on the host that extends it', async (t) => {
  t.timeout(15 * 60_000);
  const host = cluster.node(2);
  await cluster.on(2).output('volume create 0 --name data');
  const { device = '' } = await cluster.on(2).volume('attach data --host-device');
  await host.sh(`mkfs.ext4 -q ${device}; mkdir -p /run/m; mount ${device} /run/m
    dd if=/dev/urandom of=/run/m/file bs=1M count=16 status=none; sync; sha256sum /run/m/file >/run/sum`);
  await cluster.on(2).output('volume extend data 1');
  t.is((await host.sh(`blockdev --getsize64 ${device}`)).trim(), String(GiB));
  await host.sh(`resize2fs ${device}`);
  const blocks = Number((await host.sh('stat -f -c %b /run/m')).trim()) * 4096;
  t.true(blocks > 0.8 * GiB, `${blocks} bytes`);
  await host.sh(`dd if=/dev/zero of=/run/m/large bs=1M count=120 status=none && sync
    echo 3 >/proc/sys/vm/drop_caches; sha256sum -c --quiet /run/sum; umount /run/m; e2fsck -fn ${device}`);
  t.is((await cluster.node(1).sh(`lvs --noheadings --units b --nosuffix -o lv_size ${group}`)).trim(), String(GiB));
  await cluster.on(2).output('volume detach data');
  await cluster.on(2).output('volume delete data');
  t.deepEqual(await cluster.logicalVolumes(1), []);
});

test.serial(
  'a writer goes on while its volume is extended from elsewhere, and sees the size when asked again',
  async (t) => {
    t.timeout(15 * 60_000);
    const { id } = await cluster.on(2).volume('create 0 --name busy');
    const { device = '' } = await cluster.on(2).volume('attach busy --host-device');
    const writer = await Writer.start(cluster.node(2), device);
    const elsewhere = await cluster.on(1).run('volume extend busy 1');
    t.is(elsewhere.exitCode, 0);
    await writer.goesOn();
    await cluster.on(2).output(`volume extend ${id} 1`);
    t.is((await cluster.node(2).sh(`blockdev --getsize64 ${device}`)).trim(), String(GiB));
    await writer.goesOn();
    t.true(await writer.endsWell());
    t.deepEqual(await cluster.differences(1), []);
  },
);
