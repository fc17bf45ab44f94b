import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import test from 'ava';
import { ethernetAddressesOfHost } from '../../lib/connectors/host-addresses.ts';
import { readMachineId } from '../../lib/machine.ts';
import { endpointText } from '../../lib/rbd/connection.ts';
import { commit } from '../../lib/redis/scripts.ts';
import { type AttachmentFields, changeAttachment, newAttachment } from '../support/attachments.ts';
import { CliPlace, type Ended } from './place.ts';

/** A host that was rebooted has lost its devices, while the record says that it has the volume: attach is repeated there. */

const asRoot = process.getuid?.() === 0 ? test.serial : test.serial.skip;
const domain = '00000000-0000-4000-8000-000000000001';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
  await place.fakeProgram('sudo', 'shift; exec "$@"');
});
test.beforeEach(async () => {
  await place.fakeProgram('modprobe', 'echo "modprobe: FATAL: Module $1 not found." >&2; exit 1');
  await place.fakeProgram('virsh', 'case "$*" in *list*) exit 0;; esac; exit 1');
});
test.after.always(() => place.close());

/** Makes the attachment that this host made before it was rebooted; returns the id. */
async function attachedHere(address: string, fields: AttachmentFields = {}, node = 'n1'): Promise<string> {
  const { stdout: id } = await place.run('volume', 'create', '1', '--node', node);
  await place.run('volume', 'attach', id, '--instance', hostname(), '--mountpoint', '/dev/etherd/e9.1');
  const store = await place.store();
  const { machine } = await readMachineId();
  await store.redis.hset(store.keys.volume(id), { address });
  await changeAttachment(store, id, { hostId: machine, hostName: hostname(), ...fields });
  return id;
}

function attachStatus(id: string): Promise<string | null> {
  return place.store().then(({ redis, keys }) => redis.hget(keys.volume(id), 'attachStatus'));
}

const attach = (id: string, ...more: string[]): Promise<Ended> =>
  place.run('volume', 'attach', id, '--host-device', ...more);

test.serial('a repeated attach connects the device again, and a failure leaves the volume attached', async (t) => {
  const own = (await ethernetAddressesOfHost()).join(',');
  const id = await attachedHere('e9.1', { hosts: own, mountpoint: '/dev/etherd/e9.1' });
  const { exitCode, stderr } = await attach(id);
  t.is(exitCode, 1, stderr);
  t.regex(stderr, /^blockstore: could not connect volume e9\.1 to this host: the kernel module aoe cannot be loaded/m);
  t.is(await attachStatus(id), 'attached');
  const renamed = await place.store();
  await changeAttachment(renamed, id, { hostName: 'former-name', mountpoint: '/dev/vdb' });
  t.is((await attach(id)).exitCode, 1, 'what is not given is as it was');
  t.is(await attachStatus(id), 'attached');
});

test.serial('a repeated attach with other arguments is refused, with the difference', async (t) => {
  const [own = ''] = await ethernetAddressesOfHost();
  const id = await attachedHere('e9.2', { hosts: own });
  const already = `volume ${id} is attached to this host already, with `;
  const differences: [string[], string][] = [
    [['--mode', 'ro'], 'mode rw instead of ro'],
    [['--mountpoint', '/dev/vdc'], 'mount point /dev/etherd/e9.1 instead of /dev/vdc'],
    [
      ['--instance', 'i-2', '--host', 'h-2'],
      `instance ${hostname()} instead of i-2, host ${hostname()} instead of h-2`,
    ],
    [['--mac', '52:54:00:00:00:01'], `allowed addresses ${own} instead of 52:54:00:00:00:01`],
    [['--initiator', 'iqn.2026-11.org:other'], `allowed addresses ${own} instead of iqn.2026-11.org:other`],
    [['--nqn', 'nqn.2026-11.org:other'], `allowed addresses ${own} instead of nqn.2026-11.org:other`],
  ];
  for (const [options, difference] of differences) {
    const { exitCode, stderr } = await attach(id, ...options);
    t.is(exitCode, 5, stderr);
    t.true(stderr.startsWith(`blockstore: ${already}${difference}\n`), stderr);
  }
  await place.fakeProgram('virsh', `echo '${domain} guest'`);
  const asDisk = await place.run('volume', 'attach', id, '--domain', 'guest', '--mountpoint', '/dev/etherd/e9.1');
  t.is(asDisk.exitCode, 2, 'the mount point of a disk is another one');
  const disk = await attachedHere('e9.3', { hosts: own, domain, libvirtUri: 'qemu:///session' });
  t.true((await attach(disk)).stderr.includes(`with domain ${domain} instead of none\n`));
  const at = ['--mountpoint', '/dev/vdb', '--libvirt-uri', 'qemu:///system'];
  const moved = await place.run('volume', 'attach', disk, '--domain', 'guest', ...at);
  t.is(moved.exitCode, 5, moved.stderr);
  t.true(moved.stderr.includes('with libvirt connection qemu:///session instead of qemu:///system, mount point '));
});

test.serial('a volume that another host has is refused, and so is a host whose addresses have changed', async (t) => {
  const [own = ''] = await ethernetAddressesOfHost();
  const twin = await attachedHere('e9.4', { hostId: 'f'.repeat(32), hosts: own });
  const refused = await attach(twin);
  t.is(refused.exitCode, 5, refused.stderr);
  t.regex(refused.stderr, /is attached to \S+\n.*detach it first/);
  const changed = await attachedHere('e9.5', { hosts: '52:54:00:de:ad:01' });
  const other = await attach(changed);
  t.is(other.exitCode, 5, other.stderr);
  t.regex(
    other.stderr,
    /is attached on host \S+ with other Ethernet addresses than this one \(52:54:00:de:ad:01\), .*\n.*detach \S+ --force/,
  );
  const store = await place.store();
  await changeAttachment(store, changed, { hosts: own });
  await store.redis.hset(store.keys.volume(changed), { status: 'error_detaching' });
  t.regex((await attach(changed)).stderr, /is attached to \S+\n.*detach it first/, 'its export may have ended');
});

test.serial('a domain that was defined anew without its disk gets it again', async (t) => {
  const own = (await ethernetAddressesOfHost()).join(',');
  const disk = { domain, libvirtUri: 'qemu:///system', mountpoint: '/dev/vdb', hosts: own, instanceId: 'guest' };
  const id = await attachedHere('e9.6', disk);
  await place.fakeProgram('virsh', `echo '${domain} guest'`);
  const repeat = () => place.run('volume', 'attach', id, '--domain', 'guest', '--mountpoint', '/dev/vdb');
  const { exitCode, stderr } = await repeat();
  t.is(exitCode, 1, stderr);
  t.regex(stderr, /the kernel module aoe cannot be loaded/);
  await place.fakeProgram('virsh', `echo '00000000-0000-4000-8000-000000000002 guest'`);
  const anew = await repeat();
  t.is(anew.exitCode, 5, anew.stderr);
  t.true(anew.stderr.includes(`with domain ${domain} instead of 00000000-0000-4000-8000-000000000002\n`));
});

/** Programs of a host, in a mount namespace of its own, whose /sys has what they map. */
async function fakeCeph(fsid: string): Promise<void> {
  const devices = '/sys/bus/rbd/devices';
  await place.fakeProgram('blockdev', 'exit 0');
  await place.fakeProgram('dd', 'exit 0');
  await place.fakeProgram(
    'rbd',
    `echo "$*" >>${place.file('rbd-calls')}
case " $* " in
*' map '*)
  sleep 1
  for word in "$@"; do case $word in */*) name=$word;; esac; done
  n=0
  until mkdir ${devices}/$n 2>/dev/null; do n=$((n + 1)); done
  cd ${devices}/$n
  echo "\${name%%/*}" >pool; echo "\${name##*/}" >name; echo - >current_snap
  echo ${fsid} >cluster_fsid; echo ${2 ** 30} >size
  touch /dev/rbd$n;;
*' unmap '*) for last in "$@"; do :; done; rm -r ${devices}/\${last#/dev/rbd};;
esac`,
  );
}

async function onRebootedHost(script: string): Promise<Ended> {
  const directories = 'mount -t tmpfs none /sys/bus && mkdir -p /sys/bus/rbd/devices && mount -t tmpfs none /dev';
  const nodes = 'mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9';
  const booted = `${directories} && ${nodes} && ${script}`;
  const { exitCode, stdout, stderr } = await place.spawn('unshare', ['--mount', 'sh', '-c', booted]);
  return { exitCode, stdout, stderr };
}

asRoot('two attaches that are repeated at once, and later ones, connect one device and print it', async (t) => {
  const fsid = randomUUID();
  await fakeCeph(fsid);
  const daemon = await place.daemon('n2');
  const id = await attachedHere('', {}, 'n2');
  await daemon.kill(); // it reports no more
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), { address: `rbd:volumes/volume-${id}` });
  const addresses = [{ host: '192.0.2.1', port: '6789' }];
  const [backend = ''] = await store.redis.zrange(store.keys.nodeBackends('n2'), '0', '-1');
  const endpoint = endpointText({ user: 'hosts', secretUuid: '' }, { fsid, protocol: 'v1', addresses });
  await store.redis.hset(store.keys.backend(backend), { endpoint });
  const one = `blockstore volume attach ${id} --host-device`;
  const { stdout, stderr } = await onRebootedHost(
    `{ ${one} & ${one}; wait; ${one}; ls /sys/bus/rbd/devices; ls /run/blockstore-attach | grep -c ${id}; }`,
  );
  t.is(stdout, '/dev/rbd0\n/dev/rbd0\n/dev/rbd0\n0\n0', stderr);
  t.is(await attachStatus(id), 'attached');
  t.is((await onRebootedHost(one)).stdout, '/dev/rbd0', 'after a second reboot');
  // Another host gets it while this one connects.
  const other = newAttachment(id, { instanceId: 'i-2' }, 'attached');
  await commit(store, { edits: [other.edit] });
  const hand = `redis-cli -s ${place.server.socket} hset ${store.keys.volume(id)} attachments ${other.id}`;
  await place.fakeProgram('dd', `${hand} >/dev/null`);
  const late = await onRebootedHost(`{ ${one}; echo $?; ls /sys/bus/rbd/devices; }`);
  t.is(late.stdout, '5', late.stderr);
  t.regex(late.stderr, /^blockstore: the attachment of volume \S+ has ended; the volume is attached to /m);
});
