import { randomUUID } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { LibvirtDomains } from '../../../lib/connectors/libvirt.ts';
import { rbdDisks, sheepdogDisks } from '../../../lib/connectors/network-disks.ts';
import { settledUsers, visibleUsers } from '../../../lib/devices/users.ts';
import { silentLog } from '../../../lib/log.ts';
import { newChap } from '../../../lib/models/chap.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { RbdCommands } from '../../../lib/rbd/commands.ts';
import { RbdTarget } from '../../../lib/targets/rbd/target.ts';
import { CephCluster, withoutCeph } from '../../support/ceph.ts';
import { withoutGuest } from '../../support/guest-image.ts';
import { Guest } from '../../support/guest.ts';
import { Libvirtd } from '../../support/libvirtd.ts';
import { until } from '../../support/until.ts';
import { Place, initiators } from '../targets/iscsi-tgt/place.ts';
import { qemuLogin } from '../targets/iscsi-tgt/qemu-session.ts';

/** A Linux guest of QEMU that libvirt runs, without hardware acceleration, with disks that it writes and reads. */

const processes = new ChildProcesses();
const MiB = 2 ** 20;
const uuidOfSecret = randomUUID();

let libvirtd: Libvirtd;
let guest: Guest;
let domains: LibvirtDomains;
let uuid: string;

const withGuest = withoutGuest === undefined ? test.serial : test.serial.skip;
const withCeph = withoutGuest === undefined && withoutCeph === undefined ? test.serial : test.serial.skip;

test.before(async () => {
  if (withoutGuest !== undefined) return;
  libvirtd = await Libvirtd.create();
  guest = await Guest.start(libvirtd);
  domains = new LibvirtDomains({ uri: libvirtd.uri }, { processes });
  uuid = (await domains.lookup('guest')).uuid;
});

test.after.always(async () => {
  guest?.close();
  await libvirtd?.remove();
});

/** Waits for the only disk of the guest, which numbers its disks itself, and returns its name there. */
async function onlyDisk(): Promise<string> {
  const disks = () => guest.sh('ls /sys/block | grep ^vd | xargs');
  return until(async () => /^vd[a-z]$/.exec(await disks())?.[0], 'the guest has one disk');
}

/** Writes the first MiB of the disk past the guest's cache, and reads the same again. Returns the checksum. */
async function writeAndRead(disk: string): Promise<string> {
  await guest.sh(`dd if=/dev/urandom of=/data bs=1M count=1 && dd if=/data of=/dev/${disk} bs=1M conv=fsync`);
  await guest.sh('echo 3 >/proc/sys/vm/drop_caches');
  const [written, read] = (await guest.sh(`sha256sum </data; dd if=/dev/${disk} bs=1M count=1 2>/dev/null | sha256sum`))
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  if (written === undefined || written !== read) throw new Error(`the guest wrote ${written} and read ${read}`);
  return written;
}

async function hasNoDisk(): Promise<boolean> {
  return (await guest.sh('ls /sys/block | grep -c ^vd || true')) === '0';
}

withCeph('a guest writes and reads a disk on a real Ceph, which it gets and loses while it runs', async (t) => {
  const cluster = await CephCluster.create();
  t.teardown(() => cluster.remove());
  await cluster.createPool('volumes');
  const rights = ['mon', 'profile rbd', 'osd', 'profile rbd pool=volumes'];
  const conf = await cluster.createUser('guests', rights);
  const commands = new RbdCommands({ pool: 'volumes', user: 'guests', conf }, processes);
  const target = new RbdTarget(commands, { user: 'guests', secretUuid: uuidOfSecret }, { log: silentLog });
  await target.setup();
  const id = randomUUID();
  const address = target.addressOf(id);
  await cluster.run('rbd', ['create', '--size', '16', `volumes/volume-${id}`]);
  const source = rbdDisks.sourceOf(id, address, target.endpoint);

  const error = await t.throwsAsync(domains.attach(uuid, source, 'vdb'), { code: 'DomainFailed' });
  t.regex(error.message, new RegExp(`libvirt on this host has no secret ${uuidOfSecret}`));
  t.false(domains.mayHaveDisk(uuid));
  const key = await cluster.run('ceph', ['auth', 'get-key', 'client.guests']);
  await libvirtd.defineSecret(uuidOfSecret, 'client.guests', key);

  await target.ensureExport({ id, path: '', address, readOnly: false, hosts: [] });
  await domains.attach(uuid, source, 'vdb', { serial: id });
  await domains.attach(uuid, source, 'vdb', { serial: id });
  const written = await writeAndRead(await onlyDisk());
  t.is(await guest.sh('cat /sys/block/vd*/size /sys/block/vd*/serial | xargs'), `32768 ${id.slice(0, 20)}`);
  const stored = await execa('sh', [
    '-c',
    `rbd --conf ${cluster.conf} export --no-progress volumes/volume-${id} - | head -c ${MiB} | sha256sum`,
  ]);
  t.is(stored.stdout.split(' ')[0], written);

  const definition = await libvirtd.virsh('dumpxml', 'guest', '--inactive');
  t.regex(definition, new RegExp(`<source protocol='rbd' name='volumes/volume-${id}'>`));
  t.regex(definition, new RegExp(`<host name='127.0.0.1' port='${cluster.port}'/>`));
  t.regex(definition, /<auth username='guests'>/);

  const twin = definition.replace(/<uuid>.*<\/uuid>/, '').replace('<name>guest<', '<name>twin<');
  await writeFile(join(libvirtd.directory, 'twin.xml'), twin);
  await libvirtd.virsh('define', join(libvirtd.directory, 'twin.xml'));
  t.like(await t.throwsAsync(domains.detach(uuid, rbdDisks.nameOf(address)), { code: 'DomainFailed' }), {
    message: `libvirt domain twin: it has volumes/volume-${id} as its disk vdb as well`,
  });
  await libvirtd.virsh('undefine', 'twin');

  await domains.detach(uuid, rbdDisks.nameOf(address));
  await domains.detach(uuid, rbdDisks.nameOf(address));
  t.true(await hasNoDisk());
  t.false((await libvirtd.virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
  t.false((await cluster.run('rbd', ['status', `volumes/volume-${id}`])).includes('watcher='), 'nobody has it open');
  await target.removeExport(id);
  t.is(await cluster.run('ceph', ['osd', 'blocklist', 'ls']), '', 'the guest had closed it');

  await domains.attach(uuid, source, 'vdb', { readOnly: true });
  const disk = await onlyDisk();
  t.is(await guest.sh(`dd if=/dev/${disk} bs=1M count=1 2>/dev/null | sha256sum`), `${written}  -`);
  t.is(await guest.sh(`cat /sys/block/${disk}/ro; ! dd if=/data of=/dev/${disk} bs=512 count=1 2>/dev/null`), '1');
  await domains.detach(uuid, rbdDisks.nameOf(address));
});

withGuest('a disk that QEMU does not know is refused by a guest that runs, and is not in its definition', async (t) => {
  const id = randomUUID();
  const source = sheepdogDisks.sourceOf(id, `sheepdog:volume-${id}`, '127.0.0.1:7000');
  const error = await t.throwsAsync(domains.attach(uuid, source, 'vdb'), { code: 'DomainFailed' });
  t.regex(error.message, /sheepdog/i);
  await domains.detach(uuid, sheepdogDisks.nameOf(`sheepdog:volume-${id}`));
  t.false((await libvirtd.virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
});

withGuest('a guest writes and reads a block device of its host, whose user it is', async (t) => {
  const file = join(libvirtd.directory, 'disk');
  await writeFile(file, '');
  await truncate(file, 16 * MiB);
  const device = (await execa('losetup', ['--find', '--show', file])).stdout;
  t.teardown(() => execa('losetup', ['--detach', device]));
  const kernelName = device.replace('/dev/', '');
  await domains.attach(uuid, device, 'vdc');
  const written = await writeAndRead(await onlyDisk());
  t.is((await execa('sh', ['-c', `head -c ${MiB} ${file} | sha256sum`])).stdout, `${written}  -`);
  const { users } = await visibleUsers(kernelName);
  t.regex(users.join(), /open in qemu-system-x86, process \d+/);
  await domains.detach(uuid, device);
  t.true(await hasNoDisk());
  t.deepEqual((await settledUsers(kernelName, visibleUsers)).users, []);
});

withGuest('a guest is kept to the limits of its disk, in its definition as well', async (t) => {
  const file = join(libvirtd.directory, 'limited');
  await writeFile(file, '');
  await truncate(file, 16 * MiB);
  const device = (await execa('losetup', ['--find', '--show', file])).stdout;
  t.teardown(() => execa('losetup', ['--detach', device]));
  const uptime = async () => Number((await guest.sh('cut -d" " -f1 /proc/uptime')).trim());
  /** Seconds that 4 MiB take, past the cache of the guest. */
  const reading = async (disk: string) => {
    await guest.sh('echo 3 >/proc/sys/vm/drop_caches');
    const before = await uptime();
    await guest.sh(`dd if=/dev/${disk} of=/dev/null bs=64k count=64 2>/dev/null`);
    return (await uptime()) - before;
  };
  for (const _ of [1, 2]) await domains.attach(uuid, device, 'vde');
  const free = await reading(await onlyDisk());
  await domains.detach(uuid, device);
  t.true(await hasNoDisk());
  await domains.attach(uuid, device, 'vde', { limits: { iops: undefined, bytesPerSecond: MiB / 2 } });
  const slow = await reading(await onlyDisk());
  t.log(`4 MiB: ${free} s without limits, ${slow} s with half a MiB a second`);
  t.true(slow >= 6, `${slow} s`);
  const definition = await libvirtd.virsh('dumpxml', 'guest', '--inactive');
  t.regex(definition, /<read_bytes_sec>524288<\/read_bytes_sec>\s*<write_bytes_sec>524288</);
  await domains.attach(uuid, device, 'vde');
  const freed = await reading(await onlyDisk());
  t.true(freed < 6, `${freed} s after an attach without limits`);
  t.false((await libvirtd.virsh('dumpxml', 'guest', '--inactive')).includes('iotune'));
  await domains.detach(uuid, device);
});

/** Past the host: QEMU has an initiator of its own (libiscsi). The host's initiator needs a kernel with SCSI, as in the lab. */
withGuest('a guest writes and reads a volume that the real tgtd exports, with its secret', async (t) => {
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const target = await place.target();
  const [host] = initiators;
  const spec = { ...(await place.volume()), hosts: [host], chap: newChap() };
  await target.ensureExport(spec);
  const secret = randomUUID();
  await libvirtd.defineSecret(secret, `volume-${spec.id}`, Buffer.from(spec.chap.secret).toString('base64'), 'iscsi');
  const disk = join(libvirtd.directory, 'iscsi.xml');
  await writeFile(
    disk,
    `<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/>
    <source protocol='iscsi' name='iqn.2010-10.org.openstack:volume-${spec.id}/1'>
    <host name='127.0.0.1' port='${place.port}'/><initiator><iqn name='${host}'/></initiator>
    <auth username='${spec.chap.user}'><secret type='iscsi' uuid='${secret}'/></auth></source>
    <target dev='vdd' bus='virtio'/></disk>`,
  );
  await libvirtd.virsh('attach-device', 'guest', disk, '--live');
  const written = await writeAndRead(await onlyDisk());
  await libvirtd.virsh('detach-disk', 'guest', 'vdd', '--live');
  t.is((await execa('sh', ['-c', `head -c ${MiB} ${spec.path} | sha256sum`])).stdout, `${written}  -`);
});
