import assert from 'node:assert/strict';
import { BlockstoreError } from '../../lib/errors.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { until } from '../support/until.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-group-cases.ts <disk of 4 GiB> <another>. What administrators do to a group.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

/** `make` does something to the group, which has no active volume. Then setup and doctor throw that. */
function refused(title: string, make: string, expected: { code: string; message: RegExp; hint: RegExp }): LvmCase {
  return {
    title,
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      await driver.createVolume(spec());
      await driver.close();
      await machine.sh(`lvm vgchange -an ${group}; ${make}`);
      const before = await machine.sh(`head -c 4M ${machine.disk} | md5sum`);
      await assert.rejects(machine.driver().setup(), expected);
      await assert.rejects(machine.check(), expected);
      assert.equal(await machine.sh(`head -c 4M ${machine.disk} | md5sum`), before, 'nothing was written');
    },
  };
}

const list: readonly LvmCase[] = [
  {
    title: 'a logical volume with the name of a volume, but without its labels, is never adopted, listed or removed',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      for (const size of ['8m', '400m']) {
        const volume = spec();
        const name = `${group}/volume-${volume.id}`;
        await machine.sh(`lvm lvcreate -y -Wn -L ${size} -n volume-${volume.id} ${group}`);
        await machine.write(`/dev/${name}`, 'theirs', [0]);
        await assert.rejects(driver.createVolume(volume), {
          code: 'VolumeExists',
          message: /not labelled/,
          hint: /lvrename/,
        });
        assert.equal(await driver.hasVolume(volume), false);
        assert.deepEqual(await driver.listVolumes(), []);
        await assert.rejects(driver.labelVolume(volume), { code: 'StorageMissing' });
        await driver.deleteVolume(volume, { unused: true });
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /lvrename/ });
        assert.match((await machine.read(`/dev/${name}`, [0]))[0] ?? '', /^theirs/);
        await machine.sh(`lvm lvremove -y ${name}`);
      }
    },
  },
  {
    title: 'a volume with snapshots, a cache, mounts, read-only, or that pvmove moves, is busy before it is wiped',
    run: async () => {
      const driver = machine.driver({ storageDev: [machine.disk, machine.otherDisk], numShellTries: 1 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.write(device, 'data', [0]);
      const snapshots = ['nightly', 'weekly'];
      for (const name of snapshots) await machine.sh(`lvm lvcreate -s -L 8m -n ${name} ${group}/volume-${volume.id}`);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: /--splitsnapshot nova-volumes\/nightly && .* --splitsnapshot nova-volumes\/weekly && /,
      });
      assert.match((await machine.read(`/dev/${group}/nightly`, [0]))[0] ?? '', /^data/);
      await machine.sh(snapshots.map((name) => `lvm lvremove -y ${group}/${name}`).join('; '));
      const inTheWay = async (release: RegExp) => {
        await assert.rejects(driver.deleteVolume(volume), (error) => {
          assert.ok(error instanceof BlockstoreError && error.code === 'VolumeBusy', String(error));
          assert.match(`${error.message} ${error.hint}`, release);
          return true;
        });
        assert.match((await machine.read(device, [0]))[0] ?? '', /^data/);
      };
      await machine.sh(`lvm lvcreate -y -Wn -L 32m -n fast ${group} ${machine.otherDisk}
        lvm lvconvert -y --type cache --cachevol fast ${group}/volume-${volume.id}`);
      await inTheWay(/lvconvert --uncache nova-volumes\/volume-/);
      await machine.sh(`lvm lvconvert -y --uncache ${group}/volume-${volume.id}
        lvm lvchange --permission r ${group}/volume-${volume.id}`);
      await inTheWay(/is read-only.*lvchange --permission rw/);
      await machine.sh(`lvm lvchange --permission rw ${group}/volume-${volume.id}; mkdir -p /mnt/volume
        mkfs.ext4 -q ${device}; lvm lvcreate -s -L 8m -n nightly ${group}/volume-${volume.id}
        mount ${device} /mnt/volume; echo kept >/mnt/volume/file`);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: /lvremove -y nova-volumes\/nightly; mounted on \/mnt\/volume/,
      });
      await machine.sh(`cat /mnt/volume/file; umount /mnt/volume; lvm lvremove -y ${group}/nightly`);
      await machine.write(device, 'data', [0]);
      await machine.sh(`lvm pvmove -b -i +300 -n volume-${volume.id} ${machine.disk} ${machine.otherDisk}`);
      await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /pvmove --abort/ });
      assert.match((await machine.read(device, [0]))[0] ?? '', /^data/);
      await machine.sh('lvm pvmove --abort');
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'what a busy volume says to release it leaves none of its data to other volumes',
    run: async () => {
      const disks = await machine.loops(2);
      const [one, other] = disks;
      const driver = machine.driver({ storageDev: disks, numShellTries: 1 });
      await driver.setup();
      const volume = spec({ sizeBytes: 2 ** 25 });
      await driver.createVolume(volume);
      const name = `${group}/volume-${volume.id}`;
      const secret = async () =>
        machine.sh(`sync; echo 3 >/proc/sys/vm/drop_caches
          cat ${disks.join(' ')} | tr '\\0' '\\n' | grep -ac secret || true`);
      const commandsIn = async (pattern: RegExp) => {
        const error: unknown = await driver.deleteVolume(volume).catch((thrown: unknown) => thrown);
        const [, commands] = pattern.exec(String(error)) ?? [];
        assert.ok(commands, String(error));
        return commands.replace(/\b(lv[a-z]+) -/g, 'lvm $1 -');
      };
      await machine.write(`/dev/${name}`, 'secret', [8192, 2 ** 20]);
      await machine.sh(`lvm lvcreate -s -L 8m -n nightly ${name}`);
      await machine.write(`/dev/${name}`, 'public', [8192, 2 ** 20]);
      assert.notEqual(await secret(), '0');
      await machine.sh(await commandsIn(/remove the snapshots: (.*)$/));
      assert.equal(await secret(), '0');
      await machine.write(`/dev/${name}`, 'secret', [8192, 2 ** 20]);
      await machine.sh(`lvm lvcreate -y -Wn -L 32m -n fast ${group} ${other}
        lvm lvconvert -y --type cache --cachevol fast ${name}`);
      const wipe = await commandsIn(/--uncache .* this frees: (.*)$/);
      await machine.sh(`lvm lvconvert -y --uncache ${name}; lvm pvmove -n volume-${volume.id} ${one} ${other}`);
      await machine.write(`/dev/${name}`, 'public', [8192, 2 ** 20]);
      assert.notEqual(await secret(), '0');
      await machine.sh(wipe);
      assert.equal(await secret(), '0');
      await driver.deleteVolume(volume);
    },
  },
  {
    title:
      'a group whose disks allow no allocations, at its limit of volumes, or exported while it is used, is named so',
    run: async () => {
      const driver = machine.driver({ numShellTries: 1 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm pvchange -xn ${machine.disk}`);
      await assert.rejects(driver.createVolume(spec()), {
        code: 'NoSpace',
        message: /^volume group nova-volumes has [\d.]+ GiB free, but LVM allocates none of it: /,
        hint: /pvchange --allocatable y/,
      });
      await machine.sh(`lvm pvchange -xy ${machine.disk}; lvm vgchange -l 1 ${group}`);
      await assert.rejects(driver.createVolume(spec()), { code: 'GroupFull', hint: /vgchange --maxlogicalvolumes 0/ });
      await machine.sh(`lvm vgchange -l 0 ${group}; lvm vgchange -an ${group}; lvm vgexport ${group}`);
      await assert.rejects(driver.deleteVolume(volume), { code: 'GroupInaccessible', hint: /vgimport nova-volumes/ });
      await machine.sh(`lvm vgimport ${group}`);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a group with extents of 512 MiB takes no creates before vgchange made them smaller',
    run: async () => {
      await machine.sh(`lvm vgcreate -s 512m ${group} ${machine.disk}`);
      const driver = machine.driver();
      await driver.setup();
      const refusal = { code: 'GroupInaccessible', message: /extents of 512 MiB/, hint: /vgchange/ };
      await assert.rejects(driver.createVolume(spec()), refusal);
      const found = (await machine.check()).find(({ level }) => level === 'bad');
      await machine.sh(`lvm ${found?.hint?.replace(/.*: /, '')}`);
      const volume = spec();
      await driver.createVolume(volume);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      assert.equal((await driver.stats()).acceptsCreates, true);
    },
  },
  {
    title: 'a volume whose logical volume was renamed is busy, for a delete would leave its data behind',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm lvrename ${group} volume-${volume.id} old`);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: new RegExp(`lvrename ${group} old volume-${volume.id}$`),
      });
      assert.match((await driver.whereabouts(volume)) ?? '', /renamed to old; to undo that: lvrename/);
      await machine.sh(`lvm lvrename ${group} old volume-${volume.id}`);
      await driver.deleteVolume(volume);
      assert.deepEqual(await driver.listVolumes(), []);
    },
  },
  {
    title: 'a volume that vgsplit took into another group is busy, for a delete would leave its data behind',
    run: async () => {
      const disks = await machine.loops(2);
      const driver = machine.driver({ storageDev: disks, numShellTries: 1 });
      await driver.setup();
      const volumes = [spec({ sizeBytes: 2 ** 26 }), spec({ sizeBytes: 2 ** 26 })];
      for (const volume of volumes) await driver.createVolume(volume);
      await machine.sh(`lvm vgchange -an ${group}; lvm vgsplit ${group} other ${disks[1]}`);
      const left = (await driver.listVolumes()).map(({ id }) => id);
      const [stays, taken] = volumes.toSorted((one, other) => left.indexOf(other.id) - left.indexOf(one.id));
      assert.ok(stays && taken);
      await assert.rejects(driver.deleteVolume(taken), {
        code: 'VolumeBusy',
        message: /vgchange -an other && vgmerge nova-volumes other/,
      });
      await driver.deleteVolume(stays);
      await driver.deleteVolume(stays);
      await machine.sh(`lvm vgchange -an other && lvm vgchange -an ${group} && lvm vgmerge ${group} other`);
      await driver.deleteVolume(taken);
      assert.deepEqual(await machine.logicalVolumes(), ['']);
    },
  },
  {
    title: 'a group that was merged into another one is named so, and its volumes are served under that name',
    run: async () => {
      const [disk] = await machine.loops(1);
      const driver = machine.driver({ storageDev: [] });
      await machine.driver().setup();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm vgcreate other ${disk}; lvm vgchange -an ${group}; lvm vgmerge other ${group}`);
      const merged = { code: 'NoVolumeGroup', message: /group other has volumes of blockstore, as after vgmerge/ };
      await assert.rejects(machine.driver({ storageDev: [] }).setup(), { ...merged, hint: /set volume_group = other/ });
      await machine.sh(`rm ${machine.stateDir}/*uuid*`);
      const later = machine.driver({ storageDev: [], volumeGroup: 'other' });
      await later.setup();
      assert.deepEqual(
        (await later.listVolumes()).map(({ id }) => id),
        [volume.id],
      );
      await later.deleteVolume(volume);
    },
  },
  {
    title: 'a group that was renamed under the driver is named so, and used again when it has its name',
    run: async () => {
      const driver = machine.driver({ numShellTries: 1 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm vgrename ${group} other`);
      const renamed = { code: 'NoVolumeGroup', hint: /vgrename other nova-volumes/ };
      const told = async () => driver.hasVolume(volume).then(String, (error: BlockstoreError) => error.hint ?? '');
      await until(async () => renamed.hint.test(await told()), 'the name is reported', 60_000);
      await assert.rejects(machine.driver().setup(), renamed);
      await assert.rejects(machine.check(), renamed);
      await machine.sh(`lvm vgrename other ${group}`);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a volume whose tags were removed is busy, for a delete would leave its data behind',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec({ labels: { user: 'alice' } });
      await driver.createVolume(volume);
      const tags = await machine.sh(`lvm lvs --noheadings -o lv_tags ${group}/volume-${volume.id}`);
      for (const removed of [[`blockstore:id=${volume.id}`], tags.split(',')]) {
        const deltags = removed.map((tag) => `--deltag ${tag}`).join(' ');
        await machine.sh(`lvm lvchange ${deltags} ${group}/volume-${volume.id}`);
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /lvchange --addtag/ });
        await machine.sh(`lvm ${await driver.relabelCommand(volume)}`);
        assert.equal((await driver.listVolumes()).length, 1);
      }
      await driver.deleteVolume(volume);
      assert.deepEqual(await machine.logicalVolumes(), ['']);
    },
  },
  refused(
    'a group of another host is named so',
    `lvm vgchange -y --systemid other --config 'local/extra_system_ids=["other"]' ${group}`,
    {
      code: 'GroupInaccessible',
      message: /system ID other/,
      hint: /vgchange --config 'local\/extra_system_ids=\["other"\]' --systemid/,
    },
  ),
  refused('an exported group is named so', `lvm vgexport ${group}`, {
    code: 'GroupInaccessible',
    message: /is exported/,
    hint: /vgimport/,
  }),
  refused(
    'a group with locks of a cluster is named so',
    `lvm vgcfgbackup -f /run/lvm-loop-copy ${group}
     sed -i 's/^\\tflags = /\\tlock_type = "sanlock"\\n\\tlock_args = "1.0.0:lvmlock"\\n&/' /run/lvm-loop-copy; lvm vgcfgrestore -f /run/lvm-loop-copy ${group}`,
    {
      code: 'GroupInaccessible',
      message: /lock type sanlock/,
      hint: /lvmlockd/,
    },
  ),
  refused(
    'a damaged metadata header is named so, and not offered for wiping',
    `dd if=/dev/urandom of=${machine.disk} bs=512 seek=8 count=1 conv=notrunc,fsync`,
    {
      code: 'GroupUnreadable',
      message: /metadata cannot be read: .*mda header/,
      hint: /do not wipe it.*vgcfgrestore/,
    },
  ),
  {
    title: 'damage to one of two disks, a copy of a disk and another group of the name are found by start and doctor',
    run: async () => {
      const disks = await machine.loops(3);
      const [one = '', two = '', three = ''] = disks;
      const listed = [one, two];
      const before = machine.driver({ storageDev: listed });
      await before.setup();
      const volume = spec({ sizeBytes: 2 ** 22 });
      await before.createVolume(volume);
      await before.close();
      const header = 'bs=512 count=1 conv=notrunc,fsync';
      await machine.sh(`lvm vgchange -an ${group}; dd if=${one} of=/run/lvm-loop-header skip=8 ${header}
        dd if=/dev/urandom of=${one} seek=8 ${header}`);
      const [, damage] = await machine.check({ storage_dev: listed });
      assert.match(`${damage?.level} ${damage?.message}`, /^warn .*mda header on \/dev\/loop0/);
      assert.match(damage?.hint ?? '', /vgcfgbackup .*vgck --updatemetadata/);
      await machine.sh(
        `dd if=/run/lvm-loop-header of=${one} seek=8 ${header}; dd if=${one} of=${three} bs=1M conv=fsync`,
      );
      const copied = {
        code: 'VolumeGroupAmbiguous',
        message: /same UUID.*\/dev\/loop0, \/dev\/loop2/,
        hint: /vgimportclone/,
      };
      for (const storageDev of [disks, []]) {
        await assert.rejects(machine.driver({ storageDev }).setup(), copied);
        await assert.rejects(machine.check({ storage_dev: storageDev }), copied);
      }
      const right = machine.driver({ storageDev: listed });
      await right.setup();
      assert.deepEqual(await right.listVolumes(), [foundAs(volume)]);
      await right.close();
      await machine.sh(
        `lvm vgchange -an ${group}; losetup -d ${one} ${two}; wipefs -qa ${three}; lvm vgcreate ${group} ${three}`,
      );
      const replaced = {
        code: 'VolumeGroupAmbiguous',
        message: /not the one that this node used/,
        hint: /rm .*group-uuid/,
      };
      await assert.rejects(machine.driver({ storageDev: [three] }).setup(), replaced);
      await assert.rejects(machine.check({ storage_dev: [three] }), replaced);
      await machine.sh(`lvm vgremove -y ${group}`);
      await assert.rejects(machine.driver({ storageDev: [three] }).setup(), replaced);
    },
  },
  {
    title: 'doctor finds what prevents the creation of the group, which begins when nothing does',
    run: async () => {
      const [marked = '', used = ''] = await machine.loops(2);
      await machine.sh(`lvm pvcreate ${marked}; mkfs.ext4 -q ${used}`);
      const refusal = { code: 'StorageUnusable', message: /ext4/ };
      await assert.rejects(machine.check({ storage_dev: [marked, used] }), refusal);
      await assert.rejects(machine.driver({ storageDev: [marked, used] }).setup(), refusal);
      assert.match(await machine.sh('lvm pvs --noheadings -o pv_name'), new RegExp(marked), 'the mark is still there');
      assert.match(
        (await machine.check({ storage_dev: [marked] }))[0]?.message ?? '',
        /the daemon will create volume group/,
      );
      await assert.rejects(machine.check({ storage_dev: ['/dev/none'] }), {
        code: 'StorageUnusable',
        hint: /correct storage_dev/,
      });
    },
  },
  {
    title: 'volume_clear = none still wipes signatures at both ends',
    run: async () => {
      const driver = machine.driver({ volumeClear: 'none' });
      await driver.setup();
      const [first, second] = [spec(), spec()];
      const places = [4096, 65_536, first.sizeBytes - 65_536, first.sizeBytes - 4096];
      await driver.createVolume(first);
      await machine.write(driver.localPath(first), 'signature', places);
      await driver.deleteVolume(first);
      await driver.createVolume(second);
      assert.deepEqual(await machine.read(driver.localPath(second), places), ['', '', '', '']);
    },
  },
];

await runCases(machine, list);
