import { randomUUID } from 'node:crypto';
import test from 'ava';
import { endpointText } from '../../lib/rbd/connection.ts';
import { CephCluster, withoutCeph } from '../support/ceph.ts';
import { LabNetwork } from './network.ts';
import type { LabNode } from './node.ts';
import { runScript } from './script.ts';
import { StorageCluster } from './storage-cluster.ts';

/**
 * The connector of Ceph, then daemon and command line, with the kernel's rbd on a lab machine, and a real Ceph on the host's side of the
 * bridge.
 */

const real = withoutCeph === undefined ? test.serial : test.serial.skip;
const id = randomUUID();
const image = `volumes/volume-${id}`;
const sizeBytes = 64 * 2 ** 20;

let machines: StorageCluster;
let host: LabNode;
let cluster: CephCluster;
let endpoint: string;

test.before(async () => {
  if (withoutCeph !== undefined) return;
  machines = await StorageCluster.create({ nodes: 1, storageNodes: 0 });
  host = machines.node(1);
  const address = LabNetwork.hostAddress;
  cluster = await CephCluster.create({ address, namespace: machines.lab.network.namespace });
  await cluster.createPool('volumes');
  await cluster.createUser('hosts', ['mon', 'profile rbd', 'osd', 'profile rbd pool=volumes']);
  const monitors = { fsid: cluster.fsid, addresses: [{ host: address, port: String(cluster.port) }] };
  endpoint = endpointText({ user: 'hosts', secretUuid: '' }, monitors);
  await cluster.run('rbd', ['create', '--size', '64', image]);
});

test.after.always(async () => {
  await machines?.close();
  await cluster?.remove();
});

function connector(verb: string, options: object = {}): Promise<string> {
  return runScript(
    host,
    `import { RbdConnector } from './lib/connectors/rbd.ts';
    const connector = new RbdConnector(context);`,
    `return await connector.${verb}('rbd:${image}', ${JSON.stringify(options)});`,
  );
}

const given = () => ({ id, sizeBytes, endpoint });
const mapped = async () => (await host.sh('ls /sys/bus/rbd/devices')).trim();

real('a host without the key of the user is refused, and has nothing left', async (t) => {
  t.regex(
    await connector('connect', given()),
    /^ConnectorFailed: could not connect volume .*: no keyring of the Ceph user client\.hosts is found at \/etc\/ceph\/ceph\.client\.hosts\.keyring,/,
  );
  t.is(await mapped(), '');
  const keyring = await cluster.run('ceph', ['auth', 'get', 'client.hosts']);
  await host.sh(`mkdir -p /etc/ceph; cat >/etc/ceph/ceph.client.hosts.keyring <<'END'\n${keyring}\nEND`);
});

real('an image is a device of the host, in use until nothing uses it', async (t) => {
  t.is(await connector('connect', given()), '{"devicePath":"/dev/rbd0"}');
  await host.sh('mkdir -p /run/m; mkfs.ext4 -q /dev/rbd0 && mount /dev/rbd0 /run/m && echo 1 >/run/m/file');
  t.is(await connector('disconnect'), 'DeviceInUse: /dev/rbd0 is in use on this host: mounted on /run/m');
  t.is(await connector('connect', given()), 'DeviceInUse: /dev/rbd0 is in use on this host: mounted on /run/m');
  t.is(await connector('connect', { ...given(), mayBeInUse: true }), '{"devicePath":"/dev/rbd0"}');
  await host.sh('umount /run/m');
  t.is(await connector('disconnect'), '');
  t.is(await mapped(), '');
  t.is(await connector('disconnect'), '', 'absent is success');
  t.is(await connector('connect', given()), '{"devicePath":"/dev/rbd0"}');
  t.is(await host.sh('mount /dev/rbd0 /run/m && cat /run/m/file && umount /run/m'), '1');
});

real('what the device mapper, swap and processes use is named, with the command that releases it', async (t) => {
  /** Uses the device, and returns the user that a disconnect names. What it names as the command then releases the device. */
  const userNamed = async (use: string) => {
    await host.sh(use);
    const refusal = await connector('disconnect');
    const command = /\(to release it: (.*)\)$/.exec(refusal)?.[1] ?? '';
    await host.sh(command.replace(/^multipath -f /, 'dmsetup remove '));
    return refusal.replace('DeviceInUse: /dev/rbd0 is in use on this host: ', '');
  };
  const table = '--table "0 2048 linear /dev/rbd0 0"';
  t.is(
    await userNamed(`modprobe dm-mod; dmsetup create a-map ${table}`),
    'part of device-mapper map a-map (to release it: dmsetup remove a-map)',
  );
  t.is(
    await userNamed(`dmsetup create mpathz -u mpath-3600140500000001 ${table}`),
    'part of multipath map mpathz (to release it: multipath -f mpathz)',
  );
  t.is(
    await userNamed('mkswap -q /dev/rbd0; swapon /dev/rbd0'),
    'swap on /dev/rbd0 (to release it: swapoff /dev/rbd0)',
  );
  await host.start('reader', 'exec sleep 1000 </dev/rbd0');
  t.regex(await connector('disconnect'), /^DeviceInUse: .*open in sleep, process \d+/);
  await host.sh('pkill -x sleep; while pgrep -x sleep; do sleep 0.1; done');
  t.is(await connector('disconnect'), '');
});

real('a device is read-only where the attachment is', async (t) => {
  const write = 'dd if=/dev/zero of=/dev/rbd0 bs=4096 count=1 oflag=direct';
  t.is(await connector('connect', { ...given(), readOnly: true }), '{"devicePath":"/dev/rbd0"}');
  t.not((await host.run(write)).status, 0);
  t.is(await connector('connect', given()), '{"devicePath":"/dev/rbd0"}');
  t.is((await host.run(write)).status, 0);
});

real('an image that grows is larger at once; one of another size is not the volume', async (t) => {
  await cluster.run('rbd', ['resize', '--no-progress', '--size', '96', image]);
  t.is(await connector('revalidate', { sizeBytes: 96 * 2 ** 20 }), String(96 * 2 ** 20));
  const larger = { ...given(), sizeBytes: 2 ** 30 };
  t.regex(await connector('connect', larger), /^ConnectorFailed: .*has 100663296 bytes, the volume has 1073741824$/);
  t.is(await mapped(), '', 'nothing is left');
});

real('the command line gives a volume as a device, and takes it back once nothing uses it', async (t) => {
  t.timeout(10 * 60_000);
  await machines.startDaemon(1, {
    volume_driver: 'rbd',
    volume_target: 'rbd',
    rbd_pool: 'volumes',
    rbd_user: 'hosts',
    rbd_ceph_conf: await cluster.createUser('hosts', ['mon', 'profile rbd', 'osd', 'profile rbd pool=volumes']),
    rbd_capacity_gib: '10',
  });
  const volume = (command: string) => machines.on(1).volume(command);
  const { id: created } = await volume('create 0 --name data');
  const attached = await volume('attach data --host-device');
  t.like(attached, { device: '/dev/rbd0', address: `rbd:volumes/volume-${created}` });
  await host.sh('mkfs.ext4 -q /dev/rbd0 && mount /dev/rbd0 /run/m && echo 2 >/run/m/file');
  t.deepEqual((await machines.on(1).run('volume detach data')).codes, ['DeviceInUse']);
  await host.sh('umount /run/m');
  await volume('detach data');
  t.is(await mapped(), '');
  await volume('attach data --host-device --mode ro');
  t.is(await host.sh('mount -o ro /dev/rbd0 /run/m && cat /run/m/file'), '2');

  await volume('detach data --force');
  t.like(await machines.record(created), { attachStatus: 'detached' });
  t.is(await mapped(), '0', 'it is mounted: --force says so, and frees the record alone');
  t.deepEqual((await machines.on(1).run('volume attach data --host-device')).codes, ['DeviceInUse']);
  await host.sh('umount /run/m');
  await volume('attach data --host-device');
  await volume('detach data');
  await machines.on(1).output('volume delete data');
  t.is(await mapped(), '');
});
