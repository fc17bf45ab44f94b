import { randomUUID } from 'node:crypto';
import test from 'ava';
import { withoutGuest } from '../support/guest-image.ts';
import { until } from '../support/until.ts';
import { LabGuest } from './guest.ts';
import { type BackendName, ThreeBackends, backendNames, missingForBackends } from './three-backends.ts';

/**
 * A Linux guest of QEMU under libvirt, without hardware acceleration, on a lab machine: its disks are a device of the kernel's AoE initiator,
 * one of the kernel's iSCSI initiator, and an image that QEMU itself reaches on a real Ceph.
 */

const missing = withoutGuest ?? (await missingForBackends());
const real = missing === undefined ? test.serial : test.serial.skip;
const patienceMs = 240_000;
const secretUuid = randomUUID();

let place: ThreeBackends;
let guest: LabGuest;

test.before(async (t) => {
  t.timeout(20 * 60_000);
  if (missing !== undefined) return;
  place = await ThreeBackends.create({ memory: '1G', secretUuid });
  const { host } = place;
  // Definitions name disks of iSCSI by links that udev makes.
  await host.sh('mkdir -p /run/udev && /lib/systemd/systemd-udevd --daemon');
  await until(async () => (await host.run('test -S /run/udev/control')).status === 0, 'udev runs');
  const begin = performance.now();
  guest = await LabGuest.start(host, place.machines.lab.directory);
  t.log(`libvirtd and the guest started in ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  const key = await place.ceph.run('ceph', ['auth', 'get-key', 'client.hosts']);
  await host.sh(`cat >/run/secret.xml <<'END'
<secret><uuid>${secretUuid}</uuid><usage type='ceph'><name>client.hosts</name></usage></secret>
END
virsh -q secret-define /run/secret.xml && virsh -q secret-set-value ${secretUuid} '${key}'`);
});

test.after.always(async () => {
  await place?.close();
});

/** Writes another MiB past the cache of the guest, reads the same again, and returns its checksum. */
async function writeAndRead(disk: string): Promise<string> {
  await guest.sh(`dd if=/dev/urandom of=/data bs=1M count=1 && dd if=/data of=/dev/${disk} bs=1M conv=fsync`);
  const written = await guest.sh('echo 3 >/proc/sys/vm/drop_caches; sha256sum </data');
  const read = await guest.sh(`dd if=/dev/${disk} bs=1M count=1 2>/dev/null | sha256sum`);
  if (written !== read) throw new Error(`the guest wrote ${written} and read ${read}`);
  return written;
}

const sources = {
  thick: (address: string) => `<source dev='/dev/etherd/${address}'`,
  thin: (address: string) => `<source dev='/dev/disk/by-path/ip-10.77.0.11:3260-iscsi-${address.split(' ')[1]}-lun-1'`,
  ceph: (address: string) => `<source protocol='rbd' name='${address.slice('rbd:'.length)}'`,
};

real('a guest gets a disk of each backend while it runs, writes and reads it, and loses it again', async (t) => {
  t.timeout(25 * 60_000);
  const begin = performance.now();
  const volumes = new Map<BackendName, { id: string; written: string }>();
  for (const [index, name] of backendNames.entries()) {
    const { id } = await place.onHost(`create 0 --name ${name} --node node1@${name}`);
    const { address } = await place.onHost(`attach ${name} --domain guest --mountpoint /dev/vd${'bcd'[index]}`);
    t.true((await guest.definition('inactive')).includes(sources[name](address)), name);
    const disk = await until(() => guest.diskOf(id), `the guest has the disk of ${name}`, patienceMs);
    t.is(await guest.sh(`cat /sys/block/${disk}/size`), String((100 * 2 ** 20) / 512));
    volumes.set(name, { id, written: await writeAndRead(disk) });
  }
  t.is(await guest.sh('ls -d /sys/block/vd* | wc -l'), '3');
  t.log(`all were written and read after ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  for (const [name, { id, written }] of volumes) {
    t.is(await place.stored(name, id), written, name);
    await place.onHost(`detach ${name}`);
    t.is(await guest.diskOf(id), undefined, name);
  }
  t.is(await guest.sh('ls -d /sys/block/vd* 2>/dev/null | wc -l'), '0');
  t.false((await guest.definition('running')).includes('<disk '));
  t.false((await guest.definition('inactive')).includes('<disk '));
  t.is(await place.host.sh('ls /sys/block | grep -E "^(sd|rbd|etherd)"; ls /sys/class/iscsi_session; true'), '');
});
