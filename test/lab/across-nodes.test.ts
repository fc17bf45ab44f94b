import test from 'ava';
import { StorageCluster, group } from './storage-cluster.ts';

/** Three storage nodes that are clients of each other. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 3 });
});

test.after.always(async () => {
  await cluster?.close();
});

const mountPoint = '/mnt/volume';

/** Mounts a device on a node, runs a script on it and unmounts it; returns the output of the script. */
async function mounted(number: number, device: string, script: string): Promise<string> {
  return cluster.node(number).sh(`mkdir -p ${mountPoint} && mount ${device} ${mountPoint} || exit
(${script}); status=$?
umount ${mountPoint} && exit $status`);
}

/** Returns the identity of the kernel's device, '' for none. A device that the kernel rediscovers, once a minute, is another one. */
async function kernelDevice(number: number, device: string): Promise<string> {
  const name = device.replace('/dev/', '').replace('/', '!');
  return (await cluster.node(number).run(`stat -c %i '/sys/block/${name}' 2>/dev/null`)).output.trim();
}

test.serial('a volume created from another node keeps its data from host to host', async (t) => {
  const { id } = await cluster.on(1).volume('create 1 --name data --node node2');
  t.like(await cluster.record(id), { node: 'node2', status: 'available', name: 'data' });

  const { device = '' } = await cluster.on(3).volume('attach data --host-device');
  t.regex(device, /^\/dev\/etherd\/e\d+\.\d+$/);
  t.like(await cluster.record(id), { status: 'in-use', attachStatus: 'attached', use: { hostName: 'node3' } });
  await cluster.node(3).sh(`mkfs.ext4 -q ${device}`);
  const written = await mounted(
    3,
    device,
    `dd if=/dev/urandom of=${mountPoint}/file bs=1M count=8 2>/dev/null && sha256sum ${mountPoint}/file`,
  );

  const busy = await cluster.on(1).run('volume delete data');
  t.like(busy, { exitCode: 5, codes: ['VolumeAttached'] });
  const before = await kernelDevice(3, device);
  t.not(before, '');
  await cluster.on(3).output('volume detach data');
  t.not(await kernelDevice(3, device), before, 'the host has released it');
  t.like(await cluster.record(id), { status: 'available', attachStatus: 'detached', attachments: [] });

  t.is((await cluster.on(1).volume('attach data --host-device')).device, device);
  t.is(await mounted(1, device, `sha256sum ${mountPoint}/file`), written);
  await cluster.on(1).output('volume detach data');
});

test.serial('a volume can be deleted from every node', async (t) => {
  const { id } = await cluster.on(3).volume('create 0');
  const { node } = await cluster.record(id);
  t.regex(node, /^node[123]$/);
  const owner = Number(node.slice(-1));
  const stranger = (owner % 3) + 1;
  t.deepEqual(await cluster.differences(owner), []);
  await cluster.on(stranger).output(`volume delete ${id}`);
  t.false((await cluster.records()).some((volume) => volume.id === id));
  t.deepEqual(await cluster.differences(owner), []);
});

test.serial('the data of a deleted volume cannot be read from the next volume in its place', async (t) => {
  const storage = cluster.node(2);
  const place = async (id: string) => storage.sh(`lvs --noheadings -o seg_pe_ranges ${group}/volume-${id} | tr -d ' '`);
  const secrets = async (id: string) => storage.sh(`grep -a -c 'my secret' /dev/${group}/volume-${id} || true`);

  const first = await cluster.on(1).volume('create 0 --node node2');
  const { device = '' } = await cluster.on(3).volume(`attach ${first.id} --host-device`);
  const fill = `perl -e '$page = "my secret\\n" x 104858; syswrite STDOUT, $page, 2 ** 20 for 1 .. 100'`;
  await cluster.node(3).sh(`${fill} >${device} && sync ${device}`, { timeoutMs: 600_000 });
  await cluster.on(3).output(`volume detach ${first.id}`);
  const where = await place(first.id);
  t.is(await secrets(first.id), String(100 * 104_857), 'it is full of it');

  await cluster.on(3).output(`volume delete ${first.id}`);
  const second = await cluster.on(1).volume('create 0 --node node2');
  t.is(await place(second.id), where, 'it lies where the first one lay');
  t.is(await secrets(second.id), '0');
  await cluster.on(1).output(`volume delete ${second.id}`);
});

test.serial('two hosts have a volume at once; one that leaves takes nothing from the other', async (t) => {
  const { id } = await cluster.on(1).volume('create 0 --name shared --node node2 --multiattach');
  const { device = '' } = await cluster.on(1).volume('attach shared --host-device');
  t.is((await cluster.on(3).volume('attach shared --host-device')).device, device);
  const digest = (number: number) =>
    cluster.node(number).sh(`dd if=${device} bs=1M count=4 iflag=direct 2>/dev/null | sha256sum`);
  await cluster.node(1).sh(`dd if=/dev/urandom of=${device} bs=1M count=4 oflag=direct 2>/dev/null`);
  t.is(await digest(3), await digest(1), 'what one writes the other reads');
  const reader = await cluster.node(3).start('reader', `exec sleep 1000 <${device}`);
  const before = await kernelDevice(1, device);
  await cluster.on(1).output('volume detach shared');
  t.not(await kernelDevice(1, device), before, 'the host has released it');
  t.is((await cluster.node(3).run(`dd if=/dev/zero of=${device} bs=1M count=1 oflag=direct`)).status, 0);
  t.true(await reader.running());
  const refused = await cluster.node(1).run(`timeout 10 dd if=${device} of=/dev/null bs=4096 count=1 iflag=direct`);
  t.not(refused.status, 0, 'it is not admitted any more');
  await reader.stop();
  await cluster.on(3).output('volume detach shared');
  t.like(await cluster.record(id), { status: 'available', attachments: [] });
  await cluster.on(1).output('volume delete shared');
  t.deepEqual(await cluster.differences(2), []);
});
