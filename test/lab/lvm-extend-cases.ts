import assert from 'node:assert/strict';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-extend-cases.ts <disk of 4 GiB> <another>. Volumes that grow.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const grown = 300 * 2 ** 20;

const list: readonly LvmCase[] = [
  {
    title: 'a volume grows while it is mounted, keeps its data, and is never made smaller',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await assert.rejects(driver.extendVolume(volume), { code: 'StorageMissing' });
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.sh(
        `mkfs.ext4 -q ${device}; mkdir -p /mnt/volume; mount ${device} /mnt/volume; echo kept >/mnt/volume/file`,
      );
      const larger = { ...volume, sizeBytes: grown };
      for (const asked of [volume, larger, larger, volume]) await driver.extendVolume(asked);
      assert.deepEqual(await driver.listVolumes(), [foundAs(larger)]);
      assert.equal(await machine.sh(`blockdev --getsize64 ${device}`), String(grown));
      assert.equal(await machine.sh(`resize2fs ${device} >&2; cat /mnt/volume/file; umount /mnt/volume`), 'kept');
      assert.equal(await driver.hasVolume(larger), true);
    },
  },
  {
    title: 'an extension that does not fit is NoSpace and leaves the size as it was',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await assert.rejects(driver.extendVolume({ ...volume, sizeBytes: 5 * 2 ** 30 }), { code: 'NoSpace' });
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      assert.equal(await driver.hasVolume(volume), true);
    },
  },
  {
    title: 'an inactive volume grows and is active then',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm vgchange -an ${group}`);
      await driver.extendVolume({ ...volume, sizeBytes: grown });
      assert.equal(await driver.hasVolume({ ...volume, sizeBytes: grown }), true);
    },
  },
  {
    title: 'a volume with LVM snapshots grows when it is not in use, and they keep their size; in use it is VolumeBusy',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.sh(`mkfs.ext4 -q ${device}; lvm lvcreate -s -L 8m -n nightly ${group}/volume-${volume.id}
        mkdir -p /mnt/volume; mount ${device} /mnt/volume`);
      const larger = { ...volume, sizeBytes: grown };
      await assert.rejects(driver.extendVolume(larger), { code: 'VolumeBusy', message: /nightly/ });
      assert.equal(await driver.hasVolume(volume), true);
      await machine.sh('umount /mnt/volume');
      await assert.rejects(driver.extendVolume({ ...volume, sizeBytes: 5 * 2 ** 30 }), { code: 'NoSpace' });
      assert.equal(await driver.hasVolume(volume), true);
      await driver.extendVolume(larger);
      assert.equal(await driver.hasVolume(larger), true);
      assert.equal(await machine.sh(`blockdev --getsize64 /dev/${group}/nightly`), String(volume.sizeBytes));
      await machine.sh(`fsck.ext4 -fn /dev/${group}/nightly; lvm lvremove -y ${group}/nightly`);
    },
  },
];

await runCases(machine, list);
