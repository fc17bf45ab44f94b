import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import test from 'ava';
import { ethernetAddressesOfHost } from '../../lib/connectors/host-addresses.ts';
import { readMachineId } from '../../lib/machine.ts';
import { until } from '../support/until.ts';
import { type AttachmentFields, changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

const asRoot = process.getuid?.() === 0 ? test.serial : test.serial.skip;

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
  await place.fakeProgram('modprobe', 'echo "modprobe: FATAL: Module aoe not found." >&2; exit 1');
  await place.fakeProgram('sudo', 'shift; exec "$@"');
});
test.after.always(() => place.close());

test.serial('a volume that cannot be connected to this host is detached again', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', 'here');
  t.regex((await place.run('volume', 'attach', 'here', '--host-device')).stderr, /it has no address/);
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), 'address', 'e1.0'); // as of a node with the AoE target
  const { exitCode, stdout, stderr } = await place.run('volume', 'attach', 'here', '--host-device');
  t.is(exitCode, 1);
  t.is(stdout, '');
  t.regex(stderr, /^blockstore: could not connect volume e\d+\.\d+ to this host: /);
  t.like(await place.json('volume', 'show', 'here'), {
    status: 'available',
    attachStatus: 'detached',
    attachments: [],
  });
});

const elsewhere = ['--instance', 'x', '--mountpoint', '/dev/vdb', '--host', 'somewhere'];

/** Makes the attachment that a host with that machine id would have made. */
async function attachedBy(
  name: string,
  { address, ...fields }: AttachmentFields & { address?: string },
): Promise<string> {
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', name);
  await place.run('volume', 'attach', name, ...elsewhere);
  const store = await place.store();
  await changeAttachment(store, id, fields);
  if (address !== undefined) await store.redis.hset(store.keys.volume(id), { address });
  return id;
}

test.serial('a volume that another host connected is detached only with --force', async (t) => {
  await attachedBy('there', { hostId: 'f'.repeat(32), hostName: hostname() });
  const refused = await place.run('volume', 'detach', 'there');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is attached on host \S+, not on this one\n.*blockstore volume detach \S+ --force/);
  t.is((await place.run('volume', 'detach', 'there', '--force')).exitCode, 0);
});

test.serial('a domain of a host without a machine id is detached elsewhere only with --force', async (t) => {
  await attachedBy('in-container', { domain: '00000000-0000-4000-8000-000000000009' });
  t.is((await place.run('volume', 'detach', 'in-container')).exitCode, 5);
  t.is((await place.run('volume', 'detach', 'in-container', '--force')).exitCode, 0);
});

test.serial('a host that is renamed detaches what it attached under its former name', async (t) => {
  const { machine } = await readMachineId();
  await attachedBy('renamed', { hostId: machine, hostName: 'former-name' });
  t.is((await place.run('volume', 'detach', 'renamed')).exitCode, 0);
});

test.serial('a host with the machine id of another one is not taken for it', async (t) => {
  const { machine } = await readMachineId();
  const own = (await ethernetAddressesOfHost())[0] ?? '';
  const clone = { hostId: machine, hostName: 'original', hosts: '52:54:00:de:ad:01' };
  const id = await attachedBy('of-original', clone);
  const refused = await place.run('volume', 'detach', 'of-original');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is attached on host original, not on this one/);
  const store = await place.store();
  await changeAttachment(store, id, { hosts: `52:54:00:de:ad:01,${own}` });
  t.is((await place.run('volume', 'detach', 'of-original')).exitCode, 0, 'it has been renamed');
});

test.serial(
  'two clones with one machine id and one host name are distinguished by their Ethernet addresses',
  async (t) => {
    const { machine } = await readMachineId();
    await attachedBy('of-twin', { hostId: machine, hostName: hostname(), hosts: '52:54:00:de:ad:01' });
    const refused = await place.run('volume', 'detach', 'of-twin');
    t.is(refused.exitCode, 5);
    t.regex(
      refused.stderr,
      /is attached on host \S+ with other Ethernet addresses than this one \(52:54:00:de:ad:01\)\n/,
    );
    t.is((await place.run('volume', 'detach', 'of-twin', '--force')).exitCode, 0);
  },
);

test.serial(
  'two hosts without a machine id and with one name are distinguished by their Ethernet addresses',
  async (t) => {
    const own = (await ethernetAddressesOfHost())[0] ?? '';
    const other = { hostName: hostname(), domain: '00000000-0000-4000-8000-000000000009' };
    const id = await attachedBy('of-localhost', { ...other, hosts: '52:54:00:de:ad:01' });
    const refused = await place.run('volume', 'detach', 'of-localhost');
    t.is(refused.exitCode, 5, refused.stderr);
    t.regex(refused.stderr, /with other Ethernet addresses than this one \(52:54:00:de:ad:01\)\n/);
    const store = await place.store();
    await changeAttachment(store, id, { hosts: own, domain: '' });
    t.is((await place.run('volume', 'detach', 'of-localhost')).exitCode, 0);
  },
);

test.serial(
  'a domain gives its disk back also where the device is not there; --force frees the volume at once',
  async (t) => {
    const domain = '00000000-0000-4000-8000-000000000001';
    const { machine } = await readMachineId();
    await attachedBy('disk', { hostId: machine, domain });
    const down = 'echo "error: failed to connect to the hypervisor" >&2; exit 1';
    const calls = place.file('virsh-calls');
    await place.fakeProgram('virsh', `echo "$*" >>${calls}; case "$*" in *domstats*) exit 0;; esac; ${down}`);
    const refused = await place.run('volume', 'detach', 'disk');
    t.is(refused.exitCode, 1);
    t.regex(refused.stderr, /failed to connect to the hypervisor/);
    t.regex(await readFile(calls, 'utf8'), /list --all/);
    t.like(await place.json('volume', 'show', 'disk'), { attachStatus: 'attached', attachments: [{ domain }] });
    const forced = await place.run('volume', 'detach', 'disk', '--force');
    t.is(forced.exitCode, 0);
    t.regex(forced.stderr, /^detached, but not cleaned up on this host: .*failed to connect/);
    t.like(await place.json('volume', 'show', 'disk'), { attachStatus: 'detached', attachments: [] });
  },
);

test.serial('a domain that does not exist, or is an option, attaches nothing', async (t) => {
  await place.fakeProgram('virsh', `echo '${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)} guest'`);
  for (const domain of ['--domain=-x', '--domain=1', '--domain=nobody']) {
    const { exitCode, stderr } = await place.run('volume', 'attach', 'here', domain, '--mountpoint', '/dev/vdb');
    t.is(exitCode, 4, domain);
    t.regex(stderr, /^blockstore: libvirt domain \S+ does not exist\n/);
  }
  for (const target of ['/dev/etherd/e1.0', '/dev/vdb1', '/dev/sda']) {
    const { exitCode, stderr } = await place.run(
      'volume',
      'attach',
      'here',
      '--domain',
      'guest',
      '--mountpoint',
      target,
    );
    t.is(exitCode, 2, target);
    t.regex(stderr, /is not a whole virtio disk/);
  }
  t.like(await place.json('volume', 'show', 'here'), { attachStatus: 'detached' });
});

for (const [reason, hint] of [
  ["modprobe: ERROR: could not insert 'aoe': Operation not permitted", /\n {2}.*modules_disabled/],
  ["modprobe: ERROR: Error running install command '/bin/false' for module aoe: retcode 1", /\n {2}.*modprobe\.d/],
  ["modprobe: ERROR: could not insert 'aoe': Key was rejected by service", /\n {2}.*Secure Boot/],
  ['modprobe: FATAL: Module aoe not found in directory /lib/modules/6.1.0-1', /\n {2}.*restart this host/],
] as const) {
  test.serial(`a module that is not loaded has a hint: ${reason}`, async (t) => {
    await place.fakeProgram('modprobe', `echo "${reason}" >&2; exit 1`);
    const { stdout: id } = await place.run('volume', 'create', '1');
    const store = await place.store();
    await store.redis.hset(store.keys.volume(id), 'address', 'e8.0'); // a node that loses its lease removes it again
    const { exitCode, stderr } = await place.run('volume', 'attach', id, '--host-device');
    t.is(exitCode, 1);
    t.regex(stderr, hint);
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test.serial(`${signal} while the volume is connected undoes the attachment`, async (t) => {
    await place.fakeProgram('modprobe', `touch ${place.file('connecting')}; exec sleep 1000`);
    const attaching = place.begin('volume', 'attach', 'here', '--host-device');
    await until(() => existsSync(place.file('connecting')), 'the host connects', 60_000);
    await rm(place.file('connecting'));
    t.like(await place.json('volume', 'show', 'here'), { attachStatus: 'attached' });
    attaching.kill(signal);
    const { exitCode, stderr } = await attaching;
    t.is(exitCode, 130);
    t.regex(stderr, /the attachment of volume \S+ was interrupted and undone/);
    t.like(await place.json('volume', 'show', 'here'), { attachStatus: 'detached', attachments: [] });
  });
}

test.serial('the undo of a failed attachment leaves one that was made since', async (t) => {
  const failed = 'echo "modprobe: FATAL: Module aoe not found." >&2; exit 1';
  const wait = `touch ${place.file('waits')}; while [ -e ${place.file('waits')} ]; do sleep 0.1; done`;
  await place.fakeProgram('modprobe', `${wait}; ${failed}`);
  const attaching = place.begin('volume', 'attach', 'here', '--host-device');
  await until(() => existsSync(place.file('waits')), 'the host connects', 60_000);
  t.is((await place.run('volume', 'detach', 'here', '--force')).exitCode, 0);
  t.is((await place.run('volume', 'attach', 'here', ...elsewhere)).exitCode, 0);
  await rm(place.file('waits'));
  const { exitCode, stderr } = await attaching;
  t.is(exitCode, 1);
  t.regex(stderr, /^blockstore: could not connect volume e\d+\.\d+ to this host: /m);
  t.like(await place.json('volume', 'show', 'here'), { attachStatus: 'attached', attachments: [{ instanceId: 'x' }] });
  t.is((await place.run('volume', 'detach', 'here', '--force')).exitCode, 0);
});

test.serial('a detach that waited for a guest leaves an attachment that was made since', async (t) => {
  const { machine } = await readMachineId();
  const id = await attachedBy('guest-disk', { hostId: machine, domain: '00000000-0000-4000-8000-000000000001' });
  const unknown = 'echo "error: failed to get domain" >&2; exit 1';
  const wait = `touch ${place.file('waits')}; while [ -e ${place.file('waits')} ]; do sleep 0.1; done`;
  await place.fakeProgram('virsh', `case "$*" in *list*) exit 0;; esac; ${wait}; ${unknown}`);
  const detaching = place.begin('volume', 'detach', 'guest-disk');
  await until(() => existsSync(place.file('waits')), 'libvirt is asked', 60_000);
  const store = await place.store();
  // A second host frees the volume and attaches it.
  await changeAttachment(store, id, { hostId: 'f'.repeat(32), domain: '' });
  t.is((await place.run('volume', 'detach', 'guest-disk', '--force')).exitCode, 0);
  t.is((await place.run('volume', 'attach', 'guest-disk', ...elsewhere)).exitCode, 0);
  await rm(place.file('waits'));
  const { exitCode, stderr } = await detaching;
  t.is(exitCode, 5);
  t.regex(stderr, /has ended; the volume is attached to x now\n/);
  t.like(await place.json('volume', 'show', 'guest-disk'), {
    attachStatus: 'attached',
    attachments: [{ instanceId: 'x' }],
  });
});

test.serial('Ctrl-C while a guest releases its disk says that the volume is still attached', async (t) => {
  const { machine } = await readMachineId();
  const id = await attachedBy('slow-guest', { hostId: machine, domain: '00000000-0000-4000-8000-000000000001' });
  const [begun, ends] = [place.file('release-begun'), place.file('release-ends')];
  const wait = `touch ${begun}; while [ ! -e ${ends} ]; do sleep 0.1; done`;
  await place.fakeProgram('virsh', `case "$*" in *list*) exit 0;; esac; ${wait}; exit 1`);
  const detaching = place.begin('volume', 'detach', 'slow-guest');
  await until(() => existsSync(begun), 'libvirt is asked', 60_000);
  detaching.kill('SIGINT');
  const { exitCode, stderr } = await detaching;
  t.is(exitCode, 130);
  t.regex(stderr, /the volume is still attached\n +repeat the command.*: blockstore volume detach /);
  t.like(await place.json('volume', 'show', id), { attachStatus: 'attached' });
  await writeFile(ends, '');
  t.is((await place.run('volume', 'detach', id, '--force')).exitCode, 0);
});

test.serial('a domain of another libvirt connection is asked there, also where detach does not name it', async (t) => {
  const calls = place.file('virsh-uris');
  await place.fakeProgram(
    'virsh',
    `echo "$*" >>${calls}; case "$*" in *list*) echo '00000000-0000-4000-8000-000000000001 guest';; *) exit 1;; esac`,
  );
  await place.fakeProgram('modprobe', 'echo "modprobe: FATAL: Module aoe not found." >&2; exit 1');
  const at = ['--mountpoint', '/dev/vdb', '--libvirt-uri'];
  const attached = await place.run('volume', 'attach', 'here', '--domain', 'guest', ...at, 'qemu:///session');
  t.is(attached.exitCode, 1, 'modprobe fails');
  const { machine } = await readMachineId();
  const domain = '00000000-0000-4000-8000-000000000001';
  await attachedBy('of-session', { hostId: machine, domain, libvirtUri: 'qemu:///session' });
  t.is((await place.run('volume', 'detach', 'of-session')).exitCode, 1);
  const uris = new Set((await readFile(calls, 'utf8')).match(/--connect \S+/g));
  t.deepEqual([...uris], ['--connect qemu:///session']);
  t.is((await place.run('volume', 'detach', 'of-session', '--force')).exitCode, 0);
  for (const uri of ['qemu+ssh://other.example.org/system', 'qemu+tls://root@10.0.0.9:16514/system']) {
    const refused = await place.run('volume', 'attach', 'here', '--domain', 'guest', ...at, uri);
    t.is(refused.exitCode, 2, uri);
    t.regex(refused.stderr, /leads to another host: run the command there/);
  }
});

test.serial('a libvirt connection is a URI of this host without a password', async (t) => {
  const at = ['--domain', 'guest', '--mountpoint', '/dev/vdb', '--libvirt-uri'];
  for (const uri of [
    'prod',
    '',
    'qemu:/system',
    'qemu+ssh://root:sesame@localhost/system',
    'qemu+tcp://10.0.0.9/system',
  ]) {
    const attach = await place.run('volume', 'attach', 'here', ...at, uri);
    const detach = await place.run('volume', 'detach', 'here', '--libvirt-uri', uri);
    for (const { exitCode, stderr } of [attach, detach]) {
      t.is(exitCode, 2, uri);
      t.regex(stderr, /^blockstore: the libvirt connection .*\n {2}.*qemu:\/\/\/system/, uri);
      t.notRegex(stderr, /sesame/);
    }
  }
});

test.serial('a domain that another libvirt connection does not know is not taken for absent', async (t) => {
  await place.fakeProgram(
    'virsh',
    'case "$*" in *list*) exit 0;; esac; echo "error: failed to get domain" >&2; exit 1',
  );
  const { machine } = await readMachineId();
  const domain = '00000000-0000-4000-8000-000000000001';
  await attachedBy('of-system', { hostId: machine, domain, libvirtUri: 'qemu:///system' });
  const refused = await place.run('volume', 'detach', 'of-system', '--libvirt-uri', 'qemu:///session');
  t.is(refused.exitCode, 4, refused.stderr);
  t.regex(refused.stderr, /does not exist at qemu:\/\/\/session; .* attached through qemu:\/\/\/system\n.*omit/);
  t.like(await place.json('volume', 'show', 'of-system'), { attachStatus: 'attached' });
  t.is((await place.run('volume', 'detach', 'of-system')).exitCode, 0, 'it is undefined where it was');
});

asRoot('a host device whose mount point was given is detached where libvirt does not run', async (t) => {
  await place.fakeProgram('virsh', 'echo "error: failed to connect to the hypervisor" >&2; exit 1');
  const { machine } = await readMachineId();
  const fields = { hostId: machine, hostName: hostname(), address: 'e9.0' };
  await attachedBy('as-vdb', { ...fields, mountpoint: '/dev/vdb' });
  // The device is there, but nothing answers for it.
  const device = 'mount -t tmpfs none /sys/block && mkdir "/sys/block/etherd!e9.0"';
  const detach = `${device} && exec blockstore volume detach as-vdb`;
  const { stderr } = await place.spawn('unshare', ['--mount', 'sh', '-c', detach]);
  t.regex(stderr, /\/dev\/etherd\/flush/);
  t.is((await place.run('volume', 'detach', 'as-vdb')).exitCode, 0);
});

test.serial(
  'a volume that a domain has is detached on another host only with --force, also without a machine id',
  async (t) => {
    await attachedBy('in-domain', { domain: '00000000-0000-4000-8000-000000000001' });
    const refused = await place.run('volume', 'detach', 'in-domain');
    t.is(refused.exitCode, 5);
    t.regex(refused.stderr, /is attached on host somewhere, not on this one/);
    t.is((await place.run('volume', 'detach', 'in-domain', '--force')).exitCode, 0);
  },
);

test.serial('Ctrl-C to every process of a terminal undoes the attachment as well', async (t) => {
  const begun = place.file('begun-group');
  await place.fakeProgram('modprobe', `touch ${begun}; exec sleep 1000`);
  const terminal = place.terminal('blockstore volume attach here --host-device');
  await until(() => existsSync(begun), 'the host connects', 60_000);
  terminal.stdin.write('\u0003');
  const { stdout } = await terminal;
  t.regex(stdout, /was interrupted and undone/);
  t.like(await place.json('volume', 'show', 'here'), { attachStatus: 'detached', attachments: [] });
});

test.serial('Ctrl-C while the node is at work undoes the attachment as soon as it is made', async (t) => {
  const daemon = await place.daemon('n3');
  const { stdout: id } = await place.run('volume', 'create', '1', '--node', 'n3', '--name', 'slow');
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), 'address', 'e3.0');
  const status = () => store.redis.hget(store.keys.volume(id), 'attachStatus');
  daemon.signal('SIGSTOP');
  const attaching = place.begin('volume', 'attach', 'slow', '--host-device');
  await until(async () => (await status()) === 'attaching', 'it is requested', 60_000);
  attaching.kill('SIGINT');
  await once(attaching.stderr, 'data');
  daemon.signal('SIGCONT');
  const { exitCode, stderr } = await attaching;
  t.is(exitCode, 130, stderr);
  t.is(await status(), 'detached');
});

asRoot('an attach leaves the device of an attachment that another terminal is making', async (t) => {
  const daemon = await place.daemon('n4');
  const { stdout: id } = await place.run('volume', 'create', '1', '--node', 'n4', '--name', 'twice');
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), 'address', 'e4.0');
  daemon.signal('SIGSTOP');
  await place.run('volume', 'attach', 'twice', ...elsewhere, '--no-wait');
  const device = 'mount -t tmpfs none /sys/block && mkdir "/sys/block/etherd!e4.0"';
  const attach = `${device} && exec blockstore volume attach twice --host-device --timeout 5`;
  const { exitCode, stderr } = await place.spawn('unshare', ['--mount', 'sh', '-c', attach]);
  daemon.signal('SIGCONT');
  t.is(exitCode, 5, stderr);
  t.notRegex(stderr, /flush/);
});

test.serial('an attach that its node does not end in time is not connected, and says what to do then', async (t) => {
  const daemon = await place.daemon('n2');
  const { stdout: id } = await place.run('volume', 'create', '1', '--node', 'n2', '--name', 'late');
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), 'address', 'e2.0');
  await daemon.kill();
  const { exitCode, stderr } = await place.run('volume', 'attach', 'late', '--host-device', '--timeout', '1');
  t.is(exitCode, 7, stderr);
  t.regex(stderr, /did not finish within 1 s; .*it is not connected to this host\n.*blockstore volume detach/);
});

test.serial('--domain requires --mountpoint', async (t) => {
  const { exitCode, stderr } = await place.run('volume', 'attach', 'here', '--domain', 'guest');
  t.is(exitCode, 2);
  t.regex(stderr, /option "--mountpoint <device>" is missing/);
});
