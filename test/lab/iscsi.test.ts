import test from 'ava';
import { until } from '../support/until.ts';
import type { LabDaemon } from './daemon.ts';
import type { LabNode } from './node.ts';
import { missingForIscsi } from './requirements.ts';
import { runScript } from './script.ts';
import { StorageCluster } from './storage-cluster.ts';

/** Volumes by tgt, and hosts with open-iscsi and the kernel's initiator. */

const isReady = (await missingForIscsi()) === undefined;
const onLab = isReady ? test.serial : test.serial.skip;
/** A restart of a machine takes long: not in the gate. To run it: npm run test:all -- --part iscsi */
const onLabSlowly = isReady && process.env['ISCSI_CASES'] === 'all' ? test.serial : test.serial.skip;

const patienceMs = 120_000;
/** After that the I/O of a host fails. */
const replacementSeconds = 2;

let cluster: StorageCluster;

test.before(async () => {
  if (!isReady) return;
  cluster = await StorageCluster.create({
    nodes: 3,
    storageNodes: 1,
    keepState: true,
    diskGiB: 4,
    flags: { volume_target: 'iscsi-tgt', iscsi_ip_address: '10.77.0.11' },
  });
  await Promise.all([2, 3].map(becomeInitiator));
});

test.after.always(async () => {
  await cluster?.close();
});

function nameOf(number: number): string {
  return `iqn.2010-10.org.openstack:host${number}`;
}

/** As the package does with systemd. */
async function becomeInitiator(number: number): Promise<void> {
  const node = cluster.node(number);
  // The second host has the settings of the distribution; the first one fails soon.
  const limit = `node.session.timeo.replacement_timeout = ${replacementSeconds}`;
  const settings =
    number === 2 ? `sed -i 's/^node.session.timeo.replacement_timeout.*/${limit}/' /etc/iscsi/iscsid.conf` : ':';
  await node.sh(`echo InitiatorName=${nameOf(number)} >/etc/iscsi/initiatorname.iscsi
${settings}
modprobe -a iscsi_tcp sd_mod`);
  await startIscsid(node);
}

async function startIscsid(node: LabNode): Promise<void> {
  await node.start('iscsid', 'exec iscsid -f');
  await until(
    async () => (await node.run('grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix')).status === 0,
    'iscsid answers',
  );
}

async function attached(number: number, name: string, options = ''): Promise<string> {
  const { device = '' } = await cluster.on(number).volume(`attach ${name} --host-device ${options}`);
  return device;
}

/** What a host has of iSCSI: one word for each session, and each record. */
function remains(number: number): Promise<string> {
  return cluster.node(number).sh('(ls /sys/class/iscsi_session; ls -A /etc/iscsi/nodes) 2>/dev/null | xargs');
}

async function digest(node: LabNode, device: string): Promise<string> {
  return node.sh(`dd if=${device} bs=1M count=4 iflag=direct status=none | sha256sum`);
}

async function connect(number: number, id: string, secret?: string): Promise<string> {
  const { address, chap } = await cluster.record(id);
  const options = { id, chap: chap && { ...chap, secret: secret ?? chap.secret }, timeoutMs: 20_000 };
  return runScript(
    cluster.node(number),
    `import { IscsiConnector } from './lib/connectors/iscsi.ts';
    const connector = new IscsiConnector(context);`,
    `return await connector.connect('${address}', ${JSON.stringify(options)});`,
  );
}

onLab('what one host writes, the next one reads, and nothing is left on the first', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume('create 0 --name data');
  const device = await attached(2, 'data');
  t.regex(device, /^\/dev\/sd[a-z]$/, 'these machines have no udev');
  t.like(await cluster.record(id), { status: 'in-use', attachHosts: [nameOf(2)] });
  const host = cluster.node(2);
  await host.sh(`dd if=/dev/urandom of=${device} bs=1M count=4 oflag=direct`);
  const written = await digest(host, device);
  await cluster.on(2).output('volume detach data');
  t.is(await remains(2), '');
  const next = await attached(3, 'data');
  t.is(await digest(cluster.node(3), next), written);
  await cluster.on(3).output('volume detach data');
  t.is(await remains(3), '');
});

onLab('each volume has its own device, read-only where the attachment is', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume('create 0 --name more');
  const [one, other] = [await attached(2, 'data'), await attached(2, 'more', '--mode ro')];
  t.not(one, other);
  const serial = await cluster.node(2).sh(`tr -d '\\0' </sys/block/${other.slice('/dev/'.length)}/device/vpd_pg80`);
  t.true(serial.endsWith(id), serial);
  t.not((await cluster.node(2).run(`dd if=/dev/zero of=${other} bs=4096 count=1 oflag=direct`)).status, 0);
  t.is((await cluster.node(2).run(`dd if=/dev/zero of=${one} bs=4096 count=1 oflag=direct`)).status, 0);
  await cluster.on(2).output('volume detach more');
  await cluster.on(2).output('volume detach data');
  t.is(await remains(2), '');
});

onLab('a wrong secret, and a host that is not admitted, are named, and leave nothing', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster
    .on(1)
    .volume(`attach data --instance i-1 --mountpoint /dev/vdb --initiator ${nameOf(2)}`);
  t.regex(await connect(2, id, 'x'.repeat(16)), /^ConnectorFailed: .*refuses the CHAP user and secret/);
  t.is(await remains(2), '');
  t.regex(await connect(3, id), /^ConnectorFailed: .*does not admit this host/);
  t.is(await remains(3), '');
  t.regex(await connect(2, id), /"devicePath":"\/dev\/sd/);
  await cluster.on(2).output('volume detach data --force');
});

onLab('after a forced detachment the former host can neither write nor log in again', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume('show data');
  const device = await attached(2, 'data');
  const { chap } = await cluster.record(id);
  const writer = await startWriter(2, device);
  await cluster.on(1).output(`volume detach ${id} --force`);
  const next = await attached(3, 'data');
  const zeros = `dd if=/dev/zero of=${next} bs=1M count=4 oflag=direct status=none`;
  await cluster.node(3).sh(zeros);
  t.true(await writer.says('failed', patienceMs), 'its writes fail');
  t.regex(await connect(2, id, chap?.secret), /^(ConnectorFailed|DeviceInUse): /);
  const read = `dd if=${next} bs=1M count=4 iflag=direct status=none | tr -d '\\0' | wc -c`;
  t.is(await cluster.node(3).sh(read), '0', 'nothing of the former host');
  await cluster.on(3).output('volume detach data');
  await writer.kill();
  t.regex(await attached(2, 'data'), /^\/dev\/sd/, 'it is attached anew, with the secret of now');
  await cluster.on(2).output('volume detach data');
  // Whether the session of then has ended depends on the version of iscsid.
  t.is(await cluster.node(2).sh('ls /sys/block | grep ^sd || true; ls -A /etc/iscsi/nodes'), '');
});

onLabSlowly('a restart of the storage machine stalls I/O, and loses and fails none', async (t) => {
  t.timeout(15 * 60_000);
  const device = await attached(3, 'data');
  const writer = await startWriter(3, device);
  const storage = cluster.node(1);
  await storage.powerOff();
  await cluster.bootAgain(1);
  await cluster.startDaemon(1);
  const before = count(await writer.log());
  await until(async () => count(await writer.log()) > before + 1, 'the host goes on', patienceMs);
  t.notRegex(await writer.log(), /failed/);
  await writer.kill();
  await cluster.on(3).output('volume detach data');
});

onLabSlowly(
  'a restart of iscsid stalls I/O, and loses and fails none; without iscsid an attachment is undone',
  async (t) => {
    t.timeout(10 * 60_000);
    const host = cluster.node(3);
    const device = await attached(3, 'data');
    const writer = await startWriter(3, device);
    await host.sh('pkill -x iscsid; while pgrep -x iscsid; do sleep 0.1; done');
    const { id } = await cluster.on(1).volume('create 0 --name third');
    const refused = await cluster.on(3).run('volume attach third --host-device');
    t.deepEqual(refused.codes, ['ConnectorFailed']);
    t.regex(refused.messages.join(' '), /iscsid of this host does not run$/);
    t.like(await cluster.record(id), { status: 'available', attachStatus: 'detached' });
    await startIscsid(host);
    const before = count(await writer.log());
    await until(async () => count(await writer.log()) > before + 1, 'the host goes on', patienceMs);
    t.notRegex(await writer.log(), /failed/);
    await writer.kill();
    await cluster.on(3).output('volume detach data');
    t.is(await remains(3), '');
  },
);

/** A fake virsh with one domain, which is shut off; its disk is in a file. */
const fakeVirsh = `#!/bin/sh
disk=$(cat /run/domain-disk 2>/dev/null)
case "$*" in
  *snapshot-list*) ;;
  *list*) echo '00000000-0000-4000-8000-000000000001 guest' ;;
  *dominfo*) printf 'State:          shut off\\nPersistent:     yes\\nManaged save:   no\\n' ;;
  *dumpxml*) echo "<domain><devices>$disk</devices></domain>" ;;
  *attach-disk*)
    while [ $# -gt 2 ]; do shift; done
    echo "<disk type='block' device='disk'><source dev='$1'/><target dev='$2' bus='virtio'/></disk>" >/run/domain-disk ;;
  *detach-disk*) rm /run/domain-disk ;;
esac`;

onLabSlowly('a domain gets a volume by the name that udev gives it, and by none that can be another one', async (t) => {
  t.timeout(10 * 60_000);
  const host = cluster.node(2);
  await host.sh(`cat >/usr/local/bin/virsh <<'END'
${fakeVirsh}
END
chmod 755 /usr/local/bin/virsh`);
  const attach = 'volume attach data --domain guest --mountpoint /dev/vdb';
  const refused = await cluster.on(2).run(attach);
  t.regex(refused.messages.join(' '), /the device has no name that stays, .*by-path.*, but \/dev\/sd/);
  t.is(await remains(2), '');
  await host.sh('mkdir -p /run/udev && /lib/systemd/systemd-udevd --daemon');
  await until(async () => (await host.run('test -S /run/udev/control')).status === 0, 'udev runs');
  const { id, address } = await cluster.on(2).volume(attach.replace('volume ', ''));
  const name = `/dev/disk/by-path/ip-10.77.0.11:3260-iscsi-${address.split(' ')[1]}-lun-1`;
  t.regex(await host.readFile('/run/domain-disk'), new RegExp(`<source dev='${name}'/>`));
  t.like(await cluster.record(id), { mountpoint: '/dev/vdb', domain: '00000000-0000-4000-8000-000000000001' });
  await cluster.on(2).output('volume detach data');
  t.not((await host.run('test -e /run/domain-disk')).status, 0);
  t.is(await remains(2), '');
  t.is(await attached(2, 'data'), name);
  await cluster.on(2).output('volume detach data');
  await host.sh('pkill -x systemd-udevd');
});

onLabSlowly('a user who is not root sees no initiator name, and connects nothing', async (t) => {
  const asNobody =
    'BLOCKSTORE_CONFIG=/etc/blockstore/blockstore.conf setpriv --reuid=65534 --regid=65534 --clear-groups';
  await cluster.node(3).sh('chmod 600 /etc/iscsi/initiatorname.iscsi');
  const shown = await cluster.node(3).run(`${asNobody} blockstore connector --json`);
  t.regex(shown.output, /"initiator": null/);
  const refused = await cluster.node(3).run(`${asNobody} blockstore volume attach data --host-device 2>&1`);
  t.regex(refused.output, /only root may read \/etc\/iscsi\/initiatorname.iscsi/);
});

/** Writes the same 64 KiB again and again, each time to the disk; prints when a hundred are written, and when one fails. */
const program = String.raw`use Fcntl; sysopen my $device, $ARGV[0], O_RDWR | O_DSYNC or die "open: $!";
$| = 1;
for my $number (1 .. 1e9) {
  sysseek $device, 0, 0;
  unless (syswrite $device, "stale" x 13107) { print "failed: $!\n"; sleep 1000 }
  print "written $number\n" if $number % 100 == 1;
}`;

async function startWriter(number: number, device: string): Promise<LabDaemon> {
  const writer = await cluster.node(number).start(`writer${number}`, `exec perl -e '${program}' ${device}`);
  if (!(await writer.says('written', patienceMs))) throw new Error(await writer.log());
  return writer;
}

function count(log: string): number {
  return log.split('written').length;
}
