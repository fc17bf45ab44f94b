import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { retry } from '../../lib/concurrency.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { until } from '../support/until.ts';
import { casesOf, foundAs, spec } from '../lib/drivers/conformance.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import { hidingSettings, hostileSettings } from './hostile-lvm.ts';
import { LvmMachine, WithoutShell, group, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-cases.ts <disk of 4 GiB> <another>. Prints "ok" or "not ok" for each case.

const sizeGiB = 2;
const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');
const list: { title: string; run: () => Promise<void> }[] = [];

/**
 * One group and one driver for the whole list: its cases leave nothing, and the last one closes the driver. Snapshots, clones and
 * extensions have programs of their own: their copies take minutes on a lab machine.
 */
async function conform(kind: string, processes: ChildProcesses, shells: number): Promise<void> {
  const driver = machine.driver({}, processes);
  await driver.setup();
  assert.equal((await machine.shells()).length, shells);
  for (const { title, needs, run } of casesOf({ driver })) {
    if (needs !== undefined) continue;
    await run({ driver, sizeGiB, write: writeBlock, read: readBlock });
    process.stdout.write(`ok ${kind}: ${title}\n`);
  }
}

list.push(
  { title: 'the driver lvm passes the conformance suite', run: () => conform('lvm', new ChildProcesses(), 1) },
  {
    title: 'the driver lvm without a resident shell passes the conformance suite, whatever lvm.conf says',
    run: async () => {
      await machine.configure([...hostileSettings, ...hidingSettings].join(' '));
      await conform('lvm without a resident shell', new WithoutShell(), 0);
    },
  },
);

list.push(
  {
    title: 'a killed shell is replaced, and no create is lost that is repeated',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volumes = Array.from({ length: 6 }, () => spec());
      // As the daemon does.
      const creates = volumes.map((volume) => retry(() => driver.createVolume(volume), { tries: 2 }));
      await creates[0];
      for (const pid of await machine.shells()) process.kill(pid, 'SIGKILL');
      await Promise.all(creates);
      const found = new Set((await driver.listVolumes()).map(({ id }) => id));
      assert.deepEqual(found, new Set(volumes.map(({ id }) => id)));
    },
  },
  {
    title: 'after a reboot the volumes of blockstore become active, and others in the group do not',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm lvcreate -an -Zn -Wn -L 4m -n theirs ${group} && lvm vgchange -an ${group}`);
      assert.equal(await driver.hasVolume(volume), false);
      await driver.ensureVolume(volume);
      assert.equal(await driver.hasVolume(volume), true);
      await machine.sh(`lvm vgchange -an ${group}`);
      await driver.setup();
      assert.deepEqual(await machine.logicalVolumes(), ['theirs', `volume-${volume.id} active`]);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
    },
  },
  {
    title: 'the data of a deleted volume cannot be read from the next volume in its place',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const places = [0, 8192, 2 ** 30, sizeGiB * 2 ** 30 - 4096];
      const first = spec({ size: sizeGiB });
      await driver.createVolume(first);
      await machine.write(driver.localPath(first), 'secret', places);
      const told: number[] = [];
      await driver.deleteVolume(first, { progress: (percent) => told.push(percent) });
      assert.equal(told.at(-1), 100);
      const second = spec({ size: sizeGiB });
      await driver.createVolume(second);
      assert.deepEqual(
        await machine.read(driver.localPath(second), places),
        places.map(() => ''),
      );
    },
  },
  {
    title:
      'volume_clear = discard makes old data unreadable as well, none leaves it, and a new volume never begins with it',
    run: async () => {
      const places = [0, 2 ** 21];
      for (const [volumeClear, later] of [
        ['discard', /^$/],
        ['none', /^secretsecret/],
      ] as const) {
        const driver = machine.driver({ volumeClear });
        await driver.setup();
        const [first, second] = [spec(), spec()];
        await driver.createVolume(first);
        await machine.write(driver.localPath(first), 'secret', places);
        await driver.deleteVolume(first);
        await driver.createVolume(second);
        const [first4K, next = 'unread'] = await machine.read(driver.localPath(second), places);
        assert.equal(first4K, '', volumeClear);
        assert.match(next, later, volumeClear);
        await driver.deleteVolume(second);
      }
    },
  },
  {
    title: 'the metadata copy for vgcfgrestore has all changes until the last read of the free space',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await driver.stats();
      const copy = await readFile(path.join('/etc/lvm/backup', group), 'utf8');
      assert.match(copy, new RegExp(`volume-${volume.id}`));
    },
  },
  {
    title: 'a cancelled delete keeps the volume, and a later one completes it',
    run: async () => {
      const driver = machine.driver({ volumeClearMiBps: 20 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const cancel = new AbortController();
      const began = performance.now();
      const progress = () => cancel.abort();
      await assert.rejects(driver.deleteVolume(volume, { signal: cancel.signal, progress }));
      assert.ok(performance.now() - began < 4500);
      assert.equal(await driver.hasVolume(volume), true);
      const again = performance.now();
      await driver.deleteVolume(volume);
      assert.ok(performance.now() - again > 4500, '100 MiB at 20 MiB/s');
      assert.equal(await driver.hasVolume(volume), false);
    },
  },
  {
    title: 'a create does not wait for the wipe of another volume',
    run: async () => {
      const driver = machine.driver({ volumeClearMiBps: 20 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      let isDeleted = false;
      const deleting = driver.deleteVolume(volume).then(() => {
        isDeleted = true;
      });
      await driver.createVolume(spec());
      assert.equal(isDeleted, false);
      await deleting;
    },
  },
  {
    title: 'a mounted volume is VolumeBusy with its mount point, and keeps its data',
    run: async () => {
      const driver = machine.driver({ numShellTries: 1 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.sh(
        `mkfs.ext4 -q ${device}; mkdir -p /mnt/volume; mount ${device} /mnt/volume; echo kept >/mnt/volume/file`,
      );
      await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /mounted on \/mnt\/volume/ });
      assert.equal(
        await machine.sh('umount /mnt/volume; mount -o ro ' + device + ' /mnt/volume; cat /mnt/volume/file'),
        'kept',
      );
      await machine.sh('umount /mnt/volume');
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a volume that is open is VolumeBusy, and deleted by a later attempt',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const reader = machine.sh(`exec 9<${driver.localPath(volume)}; touch /tmp/open; sleep 1.5; rm /tmp/open`);
      await until(() => existsSync('/tmp/open'), 'the reader has it open');
      await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy' });
      await reader;
      await driver.deleteVolume(volume);
      assert.equal(await driver.hasVolume(volume), false);
    },
  },
  {
    title: 'a disk with data is refused, and any disk without storage_create',
    run: async () => {
      await machine.sh(`mkfs.ext4 -q ${machine.disk}`);
      await assert.rejects(machine.driver().setup(), { code: 'StorageUnusable', message: /ext4/ });
      await machine.sh(`wipefs -qa ${machine.disk}`);
      await assert.rejects(machine.driver({ storageCreate: false }).setup(), { code: 'NoVolumeGroup' });
      await assert.rejects(machine.driver({ storageDev: [] }).setup(), { code: 'NoVolumeGroup' });
      await assert.rejects(machine.driver({ storageDev: ['/dev/none'] }).setup(), { code: 'StorageUnusable' });
    },
  },
  {
    title: 'a disk marked for LVM without a group is used; one whose group is incomplete is refused',
    run: async () => {
      await machine.sh(`lvm pvcreate ${machine.disk}`);
      await machine.driver().setup();
      const metadataMiB = await machine.sh(`lvm vgs --noheadings --units m --nosuffix -o vg_mda_size ${group}`);
      assert.ok(Number(metadataMiB) >= 64, metadataMiB);
      await machine.end();
      await machine.begin();
      await machine.sh(`lvm pvcreate --metadatacopies 0 ${machine.disk}
        lvm vgcreate other ${machine.disk} ${machine.otherDisk}`);
      await assert.rejects(machine.driver().setup(), { code: 'GroupUnreadable', message: /metadata cannot be read/ });
      assert.equal(await machine.sh('lvm vgs --noheadings -o pv_count other'), '2');
    },
  },
  {
    title: 'a group with the same name inside a volume or on another disk has no effect',
    run: async () => {
      const start = '/tmp/start-of-another-group';
      await machine.sh(`lvm vgcreate ${group} ${machine.otherDisk}`);
      await assert.rejects(machine.driver().setup(), { code: 'GroupIncomplete' });
      await machine.sh(`dd if=${machine.otherDisk} of=${start} bs=1M count=2; wipefs -qa ${machine.otherDisk}`);
      const driver = machine.driver();
      await driver.setup();
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      for (const device of [driver.localPath(volume), machine.otherDisk]) {
        await machine.sh(`dd if=${start} of=${device} conv=notrunc,fsync`);
      }
      await driver.setup();
      await driver.createVolume(spec());
      assert.equal((await driver.listVolumes()).length, 2);
      const knowsNeither = machine.driver({ storageDev: [], directory: '/run/lvm-fresh' });
      await assert.rejects(knowsNeither.setup(), { code: 'VolumeGroupAmbiguous' });
      const knowsOurs = machine.driver({ storageDev: [] });
      await knowsOurs.setup();
      assert.equal((await knowsOurs.listVolumes()).length, 2);
      await machine.sh(`blkdiscard --zeroout --length 100M ${machine.otherDisk}`);
      const byName = machine.driver({ storageDev: [] });
      await byName.setup();
      assert.equal((await byName.listVolumes()).length, 2);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a group with a disk that storage_dev does not list takes no creates',
    run: async () => {
      const both = machine.driver({ storageDev: [machine.disk, machine.otherDisk] });
      await both.setup();
      const one = machine.driver();
      await one.setup();
      await assert.rejects(one.createVolume(spec()), { code: 'GroupIncomplete', message: /UUID \w{6}-/ });
      await both.createVolume(spec());
    },
  },
  {
    title: 'a full metadata area is GroupFull',
    run: async () => {
      await machine.sh(`lvm vgcreate --metadatasize 100k ${group} ${machine.disk}`);
      const driver = machine.driver();
      await driver.setup();
      const user = 'u'.repeat(1000);
      const fill = async () => {
        for (;;) await driver.createVolume(spec({ labels: { user, project: user }, sizeBytes: 2 ** 22 }));
      };
      await assert.rejects(fill(), { code: 'GroupFull' });
    },
  },
);

await runCases(machine, list);
