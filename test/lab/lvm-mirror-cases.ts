import assert from 'node:assert/strict';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { until } from '../support/until.ts';
import { type LvmCase, LvmMachine, group, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-mirror-cases.ts <disk of 4 GiB> <another>. Volumes that an administrator mirrors.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

/** Of two names of one disk LVM is to see the map. */
const asMap = `--config 'devices/filter=["a|/dev/mapper/|","a|loop0|","r|.*|"]'`;

/** A volume with an image on each of two disks, both with the word "secret". */
async function mirrored(
  disks: readonly string[],
  settings = '',
): Promise<{ driver: LvmDriver; volume: VolumeSpec; name: string }> {
  const driver = machine.driver({ storageDev: disks, numShellTries: 1 });
  await driver.setup();
  const volume = spec({ sizeBytes: 2 ** 24 });
  await driver.createVolume(volume);
  await machine.write(driver.localPath(volume), 'secret', [8192]);
  const name = `${group}/volume-${volume.id}`;
  await machine.sh(`lvm lvconvert -y --type raid1 -m1 ${settings} ${name}`);
  await inSync(name, settings);
  return { driver, volume, name };
}

async function inSync(name: string, settings = ''): Promise<void> {
  const percent = () => machine.sh(`lvm lvs --noheadings -o copy_percent ${settings} ${name}`);
  await until(async () => (await percent()) === '100.00', 'the images are alike', 60_000);
}

/** On how many lines of the disks the word is. */
async function secretsOn(disks: readonly string[]): Promise<string> {
  return machine.sh(`sync; echo 3 >/proc/sys/vm/drop_caches
    cat ${disks.join(' ')} | tr '\\0' '\\n' | grep -ac secret || true`);
}

const list: readonly LvmCase[] = [
  {
    title: 'a volume with an image that is split off is busy before it is wiped, for that image would keep the data',
    run: async () => {
      const disks = await machine.loops(2);
      const { driver, volume, name } = await mirrored(disks);
      await machine.sh(`lvm lvconvert -y --splitmirrors 1 --trackchanges ${name}`);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: new RegExp(`lvconvert --merge ${name}_rimage_1$`),
      });
      await machine.sh(`lvm lvconvert --merge ${name}_rimage_1`);
      await driver.deleteVolume(volume);
      assert.equal(await secretsOn(disks), '0');
    },
  },
  {
    title: 'a volume with an image that failed for a while is busy before it is wiped, until it is refreshed',
    run: async () => {
      const [one = '', other = ''] = await machine.loops(2);
      const sectors = await machine.sh(`blockdev --getsz ${other}`);
      const linear = `0 ${sectors} linear ${other} 0`;
      await machine.sh(`DM_DISABLE_UDEV=1 dmsetup create disk2 --table "${linear}"`);
      const { driver, volume, name } = await mirrored([one, '/dev/mapper/disk2'], asMap);
      const become = (table: string) =>
        machine.sh(`dmsetup load disk2 --table "${table}"; DM_DISABLE_UDEV=1 dmsetup resume disk2`);
      await become(`0 ${sectors} error`);
      await machine.write(driver.localPath(volume), 'public', [16_384]);
      await become(linear);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: new RegExp(`lvchange --refresh ${name}$`),
      });
      await machine.sh(`lvm lvchange --refresh ${asMap} ${name}`);
      await inSync(name, asMap);
      await driver.deleteVolume(volume);
      assert.equal(await secretsOn([one, other]), '0');
    },
  },
  {
    title: 'a mirror of which a disk is missing is served after a start, as all its data is there',
    run: async () => {
      const disks = await machine.loops(2);
      const { driver: before, volume } = await mirrored(disks);
      await before.close();
      await machine.sh(`lvm vgchange -an ${group}; losetup -d ${disks[1]}`);
      const driver = machine.driver({ storageDev: disks, numShellTries: 1 });
      await driver.setup();
      await driver.ensureVolume(volume);
      assert.equal(await driver.hasVolume(volume), true);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      assert.match((await machine.read(driver.localPath(volume), [8192]))[0] ?? '', /^secret/);
      await assert.rejects(driver.deleteVolume(volume), { code: 'GroupIncomplete' });
      await machine.sh(`lvm vgchange -an ${group}`);
      assert.match((await driver.listVolumes())[0]?.unusable ?? '', /missing disk/);
      await assert.rejects(driver.hasVolume(volume), { code: 'DiskMissing' });
    },
  },
];

await runCases(machine, list);
