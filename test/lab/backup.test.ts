import test from 'ava';
import { z } from 'zod';
import { StorageCluster, group } from './storage-cluster.ts';

/** Backups of a volume on LVM that its host writes to, and a transfer of it. The second machine is the host. */

const directory = '/var/lib/backups';

let cluster: StorageCluster;

test.before(async () => {
  const flags = { backup_directory: directory, address_quarantine: '0' };
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1, flags });
});

test.after.always(async () => {
  await cluster?.close();
});

async function idOf(command: string): Promise<string> {
  return z.object({ id: z.string() }).parse(JSON.parse(await cluster.on(1).output(command))).id;
}

test.serial('a volume goes to another project, with its labels', async (t) => {
  t.timeout(15 * 60_000);
  const id = await idOf('volume create 0 --name gift --user ann --project web');
  const tags = () => cluster.node(1).sh(`lvs --noheadings -o lv_tags ${group}/volume-${id}`);
  t.regex(await tags(), /user=ann\b/);
  const offered = JSON.parse(await cluster.on(1).output('transfer create gift'));
  const { id: transfer, key } = z.object({ id: z.string(), key: z.string() }).parse(offered);
  await cluster.on(2).output(`transfer accept ${transfer} --project lab --user bob --key ${key}`);
  t.regex(await tags(), /project=lab\b/);
  t.regex(await tags(), /user=bob\b/);
  await cluster.on(1).output('volume delete gift');
});

test.serial('backups of a mounted ext4 under load, and later ones, are volumes of an emptied cluster', async (t) => {
  t.timeout(20 * 60_000);
  const [storage, host] = [cluster.node(1), cluster.node(2)];
  const id = await idOf('volume create 0 --name data');
  const { device = '' } = await cluster.on(2).volume('attach data --host-device');
  await host.sh(`set -e
    mkfs.ext4 -q ${device}; mkdir -p /run/data; mount ${device} /run/data; cd /run/data
    dd if=/dev/urandom of=file bs=1M count=8 status=none; sync; sha256sum file >/run/sum`);
  const writer = await host.start(
    'writer',
    `cd /run/data; n=0
    while [ ! -e /run/stop ]; do n=$((n + 1)); dd if=/dev/urandom of=busy$((n % 9)) bs=256k count=4 status=none || exit 1; done
    cd /; umount /run/data`,
  );
  t.deepEqual((await cluster.on(1).run('backup create data')).codes, ['VolumeAttached']);
  await cluster.on(1).output('backup create data --name busy --force');
  t.true(await writer.running(), await writer.log());
  await host.sh('touch /run/stop');
  await writer.ended();
  await cluster.on(2).output('volume detach data');
  await cluster.on(1).output('backup create data --name quiet --incremental');
  const sum = await storage.sh(`sha256sum </dev/${group}/volume-${id}`);

  await cluster.daemon(1).stop();
  await storage.sh(`vgchange -qan ${group}; lvremove -qfy ${group}; rm -rf /var/lib/blockstore`);
  await cluster.store.redis.flushall();
  await cluster.startDaemon(1);
  t.deepEqual(await cluster.logicalVolumes(1), []);
  const quiet = await idOf('volume create 0 --name quiet --backup quiet');
  t.is(await storage.sh(`sha256sum </dev/${group}/volume-${quiet}`), sum);
  await cluster.on(1).output('volume create 0 --name busy --backup busy');
  const { device: restored = '' } = await cluster.on(2).volume('attach busy --host-device');
  // What was just being written can have blocks beyond its end: e2fsck corrects that by itself (1), and nothing else.
  await host.sh(`set -e
    mount ${restored} /run/data; cd /run/data; sha256sum -c --quiet /run/sum; cd /; umount /run/data
    e2fsck -fp ${restored} || [ $? = 1 ]`);
  await cluster.on(2).output('volume detach busy');
  await cluster.on(1).output('volume delete busy quiet');
  await cluster.on(1).output('backup delete quiet busy');
  t.is(await storage.sh(`ls ${directory}`), '');
});
