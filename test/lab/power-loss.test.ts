import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster, group } from './storage-cluster.ts';
import { Writer } from './writer.ts';

/** The storage node loses power; only its daemon, which starts with it, handles that. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1, keepState: true });
});

test.after.always(async () => {
  await cluster?.close();
});

const mountPoint = '/mnt/volume';

async function powerFails(): Promise<void> {
  await cluster.node(1).powerOff();
  await cluster.bootAgain(1);
  await cluster.startDaemon(1);
}

test.serial('exports return with their synced data, and writers continue', async (t) => {
  const client = cluster.node(2);
  const [files, raw] = await Promise.all([
    cluster.on(2).volume('create 1 --name files'),
    cluster.on(2).volume('create 0 --name raw'),
  ]);
  const { device: filesDevice = '' } = await cluster.on(2).volume('attach files --host-device');
  const { device: rawDevice = '' } = await cluster.on(2).volume('attach raw --host-device');
  const written = await client.sh(`mkfs.ext4 -q ${filesDevice} && mkdir -p ${mountPoint} &&
mount ${filesDevice} ${mountPoint} && cd ${mountPoint} &&
dd if=/dev/urandom of=file bs=1M count=8 conv=fsync 2>/dev/null && sha256sum file`);
  const writer = await Writer.start(client, rawDevice);
  const before = await cluster.records();

  await powerFails();

  t.deepEqual(await cluster.records(), before, 'in the records nothing has happened');
  t.deepEqual(await cluster.differences(1), []);
  t.true(await writer.endsWell());
  await client.sh('echo 3 >/proc/sys/vm/drop_caches');
  t.is(await client.sh(`cd ${mountPoint} && sha256sum file && echo more >another && sync .`), written);
  await client.sh(`umount ${mountPoint}`);
  for (const { id } of [files, raw]) {
    await cluster.commands.detach(id, { deadlineMs: 120_000 });
    await cluster.commands.delete(id, { deadlineMs: 120_000 });
  }
});

test.serial('interrupted creates and deletes complete', async (t) => {
  const request = { size: 0, userId: 'user', projectId: 'project' };
  const kept = await Promise.all(
    Array.from({ length: 3 }, () => cluster.commands.create(request, { deadlineMs: 120_000 })),
  );
  await Promise.all(kept.map(({ id }) => cluster.commands.delete(id)));
  const asked = await Promise.all(Array.from({ length: 8 }, () => cluster.commands.create(request)));
  const isThere = async (id: string) => (await cluster.node(1).run(`test -e /dev/${group}/volume-${id}`)).status === 0;
  await until(() => isThere(asked[1]?.id ?? ''), 'two of them have storage');

  await powerFails();

  await cluster.settled();
  const volumes = await cluster.records();
  const idsOf = (some: readonly { id: string }[]) => some.map(({ id }) => id).toSorted();
  t.deepEqual(idsOf(volumes), idsOf(asked));
  t.true(volumes.every(({ status }) => status === 'available'));
  t.deepEqual(await cluster.differences(1), []);
});
