import test from 'ava';
import { StorageCluster, group } from './storage-cluster.ts';

/** Snapshots and clones of a volume that its host has mounted and writes to. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1 });
});

test.after.always(async () => {
  await cluster?.close();
});

/**
 * Attaches a volume, mounts it, checks the file that was there before, and its file system; takes it back. What was just being written
 * can have blocks beyond its end, as after a power loss: e2fsck corrects that by itself (1), and nothing else.
 */
async function mountsClean(name: string): Promise<void> {
  const { device = '' } = await cluster.on(2).volume(`attach ${name} --host-device`);
  await cluster.node(2).sh(`set -e
    mkdir -p /run/copy; mount ${device} /run/copy
    cd /run/copy; sha256sum -c --quiet /run/sum; cd /; umount /run/copy; e2fsck -fp ${device} || [ $? = 1 ]`);
  await cluster.on(2).output(`volume detach ${name}`);
}

test.serial('a snapshot and a clone of a mounted ext4 under load are volumes that mount clean', async (t) => {
  t.timeout(15 * 60_000);
  const host = cluster.node(2);
  await cluster.on(2).output('volume create 0 --name data');
  const { device = '' } = await cluster.on(2).volume('attach data --host-device');
  await host.sh(`set -e
    mkfs.ext4 -q ${device}; mkdir -p /run/data; mount ${device} /run/data; cd /run/data
    dd if=/dev/urandom of=file bs=1M count=8 status=none; sync; sha256sum file >/run/sum`);
  const writes = `cd /run/data; n=0
    while [ ! -e /run/stop ]; do n=$((n + 1)); dd if=/dev/urandom of=busy$((n % 9)) bs=256k count=4 status=none || exit 1; done
    cd /; umount /run/data`;
  const writer = await host.start('writer', writes);

  t.deepEqual((await cluster.on(2).run('snapshot create data --name refused')).codes, ['VolumeAttached']);
  await cluster.on(2).output('snapshot create data --name early --force');
  await cluster.on(2).output('volume create 0 --name copy --snapshot early');
  await cluster.on(2).output('volume create 0 --name clone --source data');
  t.true(await writer.running(), await writer.log());
  await mountsClean('copy');
  await mountsClean('clone');

  await host.sh('touch /run/stop');
  await writer.ended();
  await host.sh(`e2fsck -fn ${device}`);
  await cluster.on(2).output('volume detach data');
  t.deepEqual((await cluster.on(2).run('volume delete data')).codes, ['VolumeHasSnapshots']);
  await cluster.on(2).output('volume delete data --cascade');
  await mountsClean('copy');
  await cluster.on(2).output('volume delete copy clone');
  t.deepEqual(await cluster.logicalVolumes(1), [], `nothing is left in ${group}`);
});
