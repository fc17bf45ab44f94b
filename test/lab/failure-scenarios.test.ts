import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster, group } from './storage-cluster.ts';

/** Failures of a node with real LVM and vblade: a clear error, and records that agree with storage. */

let cluster: StorageCluster;

test.before(async () => {
  const flags = { num_shell_tries: '1', report_interval: '2', volume_clear: 'none' };
  cluster = await StorageCluster.create({ nodes: 1, storageNodes: 0, diskGiB: 4, flags });
});

test.after.always(async () => {
  await cluster?.close();
});

async function removeAll(): Promise<void> {
  const volumes = await cluster.records();
  await Promise.all(volumes.map(({ id }) => cluster.commands.delete(id, { deadlineMs: 120_000 })));
}

let daemon: Promise<unknown> | undefined;

/** The tests of a running daemon share one. */
async function startDaemon(): Promise<void> {
  daemon ??= cluster.startDaemon(1);
  await daemon;
}

/** A reason why the daemon does not start: its set-up and removal, flags, the starting command, exit code, expected message. */
const prerequisites: [string, string, string, Record<string, string>, string, number, RegExp][] = [
  [
    'no volume group',
    'true',
    'true',
    { storage_create: 'false' },
    '',
    1,
    /^blockstored: volume group nova-volumes does not exist\n {2}create it with vgcreate, .*\n$/m,
  ],
  [
    'no vblade',
    'mv /usr/sbin/vblade /usr/sbin/vblade.away',
    'mv /usr/sbin/vblade.away /usr/sbin/vblade',
    {},
    '',
    1,
    /^blockstored: the command vblade is not installed\n {2}install it: apt-get install vblade\n$/m,
  ],
  [
    'the interface is down',
    'ip link add down0 type bridge',
    'ip link delete down0',
    { aoe_eth_dev: 'down0' },
    '',
    1,
    /^blockstored: network interface down0 is down\n {2}bring it up \(ip link set down0 up\).*\n$/m,
  ],
  [
    'no right to raw sockets',
    'true',
    'true',
    {},
    'setpriv --bounding-set=-net_raw --inh-caps=-net_raw',
    8,
    /^blockstored: vblade is not permitted to open a raw socket on vec0\n {2}run the daemon as root, .*\n$/m,
  ],
];

for (const [title, script, undo, flags, by, exitCode, words] of prerequisites) {
  test.serial(`the daemon does not start and reports the reason: ${title}`, async (t) => {
    await cluster.node(1).sh(script);
    const ended = await cluster.failDaemon(1, flags, by);
    await cluster.node(1).sh(undo);
    t.is(ended.exitCode, exitCode, ended.output);
    t.regex(ended.output, words);
    t.notRegex(ended.output, /^ {4}at /m, 'no stack trace');
  });
}

test.serial('a full group is named in the error, and nothing remains', async (t) => {
  await startDaemon();
  const { id } = await cluster.on(1).volume('create 3');
  const refused = await cluster.on(1).run('volume create 2');
  t.like(refused, { exitCode: 6, codes: ['NoSpace'], output: '' });
  t.regex(refused.messages[0] ?? '', /^no backend has space for 2 GiB: node1@lvm: 0\.\d+ GiB free$/);
  t.deepEqual(
    (await cluster.records()).map((volume) => volume.id),
    [id],
  );
  t.deepEqual(await cluster.differences(1), []);
  await removeAll();
});

test.serial('a vblade removed under a running daemon is reported, and the volume stays detached', async (t) => {
  await startDaemon();
  await cluster.node(1).sh('mv /usr/sbin/vblade /usr/sbin/vblade.away');
  const { id } = await cluster.on(1).volume('create 0');
  const refused = await cluster.on(1).run(`volume attach ${id} --instance i-1 --mountpoint /dev/vdb`);
  t.like(refused, { exitCode: 1, codes: ['CommandNotFound'] });
  t.like(await cluster.record(id), {
    status: 'error_attaching',
    attachStatus: 'detached',
    fault: { code: 'CommandNotFound', step: 'export' },
  });
  await cluster.node(1).sh('mv /usr/sbin/vblade.away /usr/sbin/vblade');
  await removeAll();
  t.deepEqual(await cluster.records(), []);
});

test.serial('a volume mounted on its node is deleted only after it is unmounted', async (t) => {
  await startDaemon();
  const { id } = await cluster.on(1).volume('create 0');
  const device = `/dev/${group}/volume-${id}`;
  await cluster.node(1).sh(`mkfs.ext4 -q ${device} && mkdir -p /mnt/busy && mount ${device} /mnt/busy
echo kept >/mnt/busy/file`);
  const refused = await cluster.on(1).run(`volume delete ${id}`);
  t.like(refused, { exitCode: 5, codes: ['VolumeBusy'] });
  t.regex(refused.messages[0] ?? '', /is in use on its node: .*mounted on \/mnt\/busy/);
  t.like(await cluster.record(id), { status: 'error_deleting', fault: { code: 'VolumeBusy', step: 'remove' } });
  t.is(await cluster.node(1).sh('cat /mnt/busy/file; umount /mnt/busy'), 'kept');
  await cluster.on(1).output(`volume delete ${id}`);
  t.deepEqual(await cluster.records(), []);
  t.deepEqual(await cluster.logicalVolumes(1), []);
});

test.serial('a second attach or detach is refused with an exit code and changes nothing', async (t) => {
  await startDaemon();
  const { id } = await cluster.on(1).volume('create 0 --name one');
  t.like(await cluster.on(1).run('volume detach one'), { exitCode: 5, codes: ['VolumeNotAttached'] });
  await cluster.on(1).output('volume attach one --instance i-1 --mountpoint /dev/vdb');
  const twice = await cluster.on(1).run('volume attach one --instance i-2 --mountpoint /dev/vdc');
  t.like(twice, { exitCode: 5, codes: ['VolumeAttached'], messages: [`volume ${id} is attached to i-1`] });
  t.like(await cluster.record(id), { attachStatus: 'attached', use: { instanceId: 'i-1', mountpoint: '/dev/vdb' } });
  await cluster.on(1).output('volume detach one');
  t.like(await cluster.on(1).run('volume detach one'), { exitCode: 5, codes: ['VolumeNotAttached'] });
  t.deepEqual(await cluster.differences(1), []);
  await removeAll();
});

test.serial('storage removed under a running daemon is reported, and other volumes are served', async (t) => {
  await startDaemon();
  const lost = await cluster.on(1).volume('create 0');
  const other = await cluster.on(1).volume('create 0');
  await cluster.on(1).output(`volume attach ${lost.id} --instance i-1 --mountpoint /dev/vdb`);
  await cluster.on(1).output(`volume attach ${other.id} --instance i-2 --mountpoint /dev/vdb`);
  const before = await cluster.vbladeOf(1, other.id);
  // A killed vblade keeps its device for a moment, and the daemon can start the next one first.
  await cluster.node(1).sh(`until pkill -9 -x vblade; lvremove -qy ${group}/volume-${lost.id}; do sleep 0.1; done`);
  const volume = await until(async () => {
    const record = await cluster.record(lost.id);
    return record.status === 'error' && record;
  }, 'the volume is in error');
  t.is(volume.fault?.code, 'StorageMissing');
  await until(async () => (await cluster.vbladeOf(1, other.id)) !== before, 'the other one is exported again');
  for (const { id } of [lost, other]) await cluster.on(1).output(`volume detach ${id}`);
  await cluster.on(1).output(`volume delete ${lost.id} ${other.id}`);
  t.deepEqual(await cluster.records(), []);
  t.deepEqual(await cluster.vblades(1), []);
});
