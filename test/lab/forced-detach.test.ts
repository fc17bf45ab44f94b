import test from 'ava';
import { until } from '../support/until.ts';
import type { LabNode } from './node.ts';
import { StorageCluster, group } from './storage-cluster.ts';

/** What a host keeps of a volume: a device that it has in use although its attachment is gone. */

let cluster: StorageCluster;
let storage: LabNode;
let host: LabNode;

const patienceMs = 240_000;

test.before(async () => {
  // One address, which rests no time at all: the next volume has it at once.
  const oneAddress = { slots_per_shelf: '1', first_shelf_id: '7', last_shelf_id: '7', address_quarantine: '0' };
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1, flags: oneAddress, keepState: true });
  storage = cluster.node(1);
  host = cluster.node(2);
});

test.after.always(async () => {
  await cluster?.close();
});

const writer = `use Fcntl; sysopen my $device, $ARGV[0], O_RDWR | O_DSYNC or die "open: $!";
$| = 1;
for (1 .. 1e9) { sysseek $device, 0, 0; syswrite $device, "stale" x 4096 or last; print "written\\n" if $_ == 1 }
sleep 1000;`;

/** Prints a line for each write request for shelf 7 that a machine sends. It hears frames before any filter. */
const listener = `socket my $socket, 17, 3, unpack "S", pack "n", 3 or die "socket: $!";
$| = 1;
print "listening\\n";
while (defined recv $socket, my $frame, 64, 0) {
  my ($type, $flags, $shelf, $command) = unpack "x12 n C x n x C", $frame;
  print "write\\n" if $type == 0x88a2 && !($flags & 8) && $shelf == 7 && $command == 0 && ord(substr $frame, 24, 1) & 1;
}`;

test.serial('a host that uses a volume whose attachment Redis lost attaches it again', async (t) => {
  const { id } = await cluster.on(1).volume('create 0 --name kept');
  const { device = '' } = await cluster.on(2).volume('attach kept --host-device');
  const user = await host.start('user', `exec sleep 10000 <${device}`);
  await cluster.daemon(1).stop();
  await cluster.lab.redis.command('FLUSHALL');
  await cluster.startDaemon(1);
  t.like(await cluster.record(id), { status: 'in-use', use: { instanceId: 'unknown' } });
  t.is((await cluster.on(2).volume(`attach ${id} --host-device`)).device, device);
  t.like(await cluster.record(id), { status: 'in-use', use: { instanceId: 'node2', hostName: 'node2' } });
  t.is((await cluster.on(2).volume(`attach ${id} --host-device`)).device, device, 'it has it already');
  t.true(await user.running());
  await user.kill();
  await cluster.on(2).output(`volume detach ${id}`);
  await cluster.on(1).output(`volume delete ${id}`);
});

test.serial('a host that lost its device in a power loss gets it back by the same command', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume('create 0 --name rebooted');
  const { device = '' } = await cluster.on(2).volume('attach rebooted --host-device');
  const place = `bs=4096 count=1 status=none`;
  await host.sh(`printf kept | dd of=${device} ${place} conv=sync oflag=direct`);
  await host.powerOff();
  await cluster.bootAgain(2);
  // These machines load it at boot, and have found the device by themselves.
  await host.sh('modprobe -r aoe');
  t.not((await host.run(`test -b ${device}`)).status, 0);
  t.like(await cluster.record(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual((await cluster.on(2).run('volume attach rebooted --host-device --mode ro')).codes, ['VolumeAttached']);
  t.deepEqual((await cluster.on(1).run('volume attach rebooted --host-device')).codes, ['VolumeAttached']);
  t.is((await cluster.on(2).volume('attach rebooted --host-device')).device, device);
  t.is(await host.sh(`dd if=${device} ${place} iflag=direct | tr -d '\\0'`), 'kept');
  await host.powerOff();
  await cluster.bootAgain(2);
  await cluster.on(1).output(`volume detach ${id} --force`);
  await cluster.on(1).output('volume attach rebooted --instance i-1 --mountpoint /dev/vdb --mac 52:54:00:00:00:99');
  t.deepEqual((await cluster.on(2).run('volume attach rebooted --host-device')).codes, ['VolumeAttached']);
  await cluster.on(1).output('volume detach rebooted');
  await cluster.on(1).output(`volume delete ${id}`);
});

test.serial('a volume that gets another address by its attachment is attached to a host there', async (t) => {
  const { id, address } = await cluster.on(1).volume('create 0 --name moved');
  t.is(address, 'e7.0');
  await cluster.daemon(1).stop();
  await cluster.lab.redis.command('HSET', '{blockstore}:aoe:shelf-owners', '7', 'node9');
  await cluster.startDaemon(1, { last_shelf_id: '8' });
  const { device } = await cluster.on(2).volume(`attach ${id} --host-device`);
  t.is(device, '/dev/etherd/e8.0');
  t.like(await cluster.record(id), { status: 'in-use', address: 'e8.0', use: { mountpoint: device } });
  await cluster.on(2).output(`volume detach ${id}`);
  await cluster.on(1).output(`volume delete ${id}`);
  await cluster.daemon(1).stop();
  await cluster.lab.redis.command('FLUSHALL');
  await cluster.startDaemon(1);
});

test.serial('what a host writes after a forced detachment never reaches the next volume at that address', async (t) => {
  t.timeout(20 * 60_000);
  const first = await cluster.on(1).volume('create 0 --name first');
  const { device = '' } = await cluster.on(2).volume('attach first --host-device');
  t.is(device, `/dev/etherd/${first.address}`);
  const stale = await host.start('writer', `exec perl -e '${writer}' ${device}`);
  t.true(await stale.says('written', patienceMs));

  await cluster.on(1).output(`volume detach ${first.id} --force`);
  await cluster.on(1).output(`volume delete ${first.id}`);
  const next = await cluster.on(1).volume('create 0 --name next');
  t.is(next.address, first.address, 'the address is the same');
  await cluster.on(1).output('volume attach next --instance i-1 --mountpoint /dev/vdb --mac 52:54:00:00:00:99');
  t.is((await cluster.vblades(1)).length, 1, 'it is exported');

  const heard = await storage.start('listener', `exec perl -e '${listener}'`);
  t.true(await heard.says('listening', patienceMs));
  await until(async () => (await heard.log()).split('write').length > 3, 'the host repeats its write', patienceMs);
  const cleared = `cmp -n ${100 * 2 ** 20} /dev/${group}/volume-${next.id} /dev/zero`;
  t.is((await storage.run(cleared)).output, '', 'the next volume is as empty as it was');

  await cluster.on(1).output('volume detach next');
  const refused = await cluster.on(2).run('volume attach next --host-device');
  t.deepEqual(refused.codes, ['DeviceInUse'], JSON.stringify(refused));
  t.like(await cluster.record(next.id), { status: 'available', attachStatus: 'detached' });
  t.is((await storage.run(cleared)).output, '', 'nor while that host was about to have it');
});
