import assert from 'node:assert/strict';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import { checkVolumeGroup } from '../../lib/drivers/lvm/check.ts';
import type { BlockstoreError } from '../../lib/errors.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { checkSectors } from '../../lib/targets/aoe/sectors.ts';
import { checkWritable } from '../../lib/targets/aoe/writable.ts';
import { spec } from '../lib/drivers/conformance.ts';
import { until } from '../support/until.ts';
import { type LvmCase, LvmMachine, group, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-disk-cases.ts <disk of 4 GiB> <another>. What disks do to a group: go, return, differ.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');
/** Two of these do not fit on one disk of the machine's loops, which lose 64 MiB to metadata. */
const sizeBytes = 60 * 2 ** 20;
const bytes = (volume: VolumeSpec, driver: LvmDriver) => machine.read(driver.localPath(volume), [0, 2 ** 20]);

/** What `blockstore doctor` says of a group that is to be created on that disk. */
function doctor(disk: string) {
  const flags = {
    volume_group: group,
    volume_clear: 'zero',
    volume_clear_mibps: 0,
    storage_create: true,
    lvm_snapshot_percent: 100,
    lvm_type: 'thick',
    lvm_thin_pool: '',
    max_over_subscription_ratio: 1,
  } as const;
  return checkVolumeGroup({ ...flags, storage_dev: [disk] }, machine.stateDir, new ChildProcesses());
}

/** A group on two disks with a volume on each. */
async function twoDisks(
  storageDev: readonly string[],
): Promise<{ driver: LvmDriver; first: VolumeSpec; second: VolumeSpec }> {
  const driver = machine.driver({ storageDev });
  await driver.setup();
  const [first, second] = [spec({ sizeBytes }), spec({ sizeBytes })];
  for (const volume of [first, second]) await driver.createVolume(volume);
  await machine.write(driver.localPath(first), 'data', [0, 2 ** 20]);
  return { driver, first, second };
}

async function uuidOf(disk: string): Promise<string> {
  return machine.sh(`lvm pvs --noheadings -o pv_uuid ${disk}`);
}

async function isMarked(): Promise<boolean> {
  return (await machine.sh(`lvm pvs --noheadings -o pv_missing -S vg_name=${group}`)).includes('missing');
}

/** What holds as long as the second volume's disk is away. */
async function assertDegraded(driver: LvmDriver, first: VolumeSpec, second: VolumeSpec, uuid: string): Promise<void> {
  const names = new RegExp(uuid);
  const stats = await driver.stats();
  assert.equal(stats.acceptsCreates, false);
  assert.match(stats.problem ?? '', names);
  assert.equal(stats.volumeBytes, 2 * sizeBytes);
  const found = new Map((await driver.listVolumes()).map((volume) => [volume.id, volume]));
  assert.equal(found.get(first.id)?.unusable, undefined);
  assert.match(found.get(second.id)?.unusable ?? '', names);
  await assert.rejects(driver.createVolume(spec()), { code: 'GroupIncomplete', message: names });
  await assert.rejects(driver.deleteVolume(first), { code: 'GroupIncomplete', message: names });
  await assert.rejects(driver.deleteVolume(second), { code: 'GroupIncomplete' });
  await assert.rejects(driver.hasVolume(second), { code: 'DiskMissing', message: names });
  await assert.rejects(driver.labelVolume({ ...first, labels: { other: 'x' } }), { code: 'GroupIncomplete' });
  assert.equal((await driver.createVolume(first)).isNew, false);
  assert.deepEqual(await bytes(first, driver), ['data'.repeat(25), 'data'.repeat(25)]);
}

async function assertWhole(driver: LvmDriver, first: VolumeSpec, second: VolumeSpec): Promise<void> {
  await until(async () => (await driver.stats()).acceptsCreates, 'it accepts creates', 60_000);
  for (const volume of [first, second]) {
    await driver.ensureVolume(volume);
    assert.equal(await driver.hasVolume(volume), true);
  }
  assert.equal(await isMarked(), false, 'LVM did not mark the disk');
  const fresh = spec({ sizeBytes: 2 ** 22 });
  await driver.createVolume(fresh);
  for (const volume of [fresh, first, second]) await driver.deleteVolume(volume);
}

function degradedAtStart(title: string, listed: boolean): LvmCase {
  return {
    title,
    run: async () => {
      const disks = await machine.loops(2);
      const { driver: before, first, second } = await twoDisks(disks);
      const uuid = await uuidOf(disks[1] ?? '');
      await before.close();
      await machine.sh(`lvm vgchange -an ${group}; losetup -d ${disks[1]}`);
      const driver = machine.driver({ storageDev: listed ? disks : [] });
      await driver.setup();
      await driver.ensureVolume(first);
      await assert.rejects(driver.ensureVolume(second), { code: 'DiskMissing', message: new RegExp(uuid) });
      await assertDegraded(driver, first, second, uuid);
      await machine.sh(`losetup ${disks[1]} ${LvmMachine.fileOf(disks[1] ?? '')}`);
      await assertWhole(driver, first, second);
    },
  };
}

const list: readonly LvmCase[] = [
  degradedAtStart('a group that lacks a listed disk at a start serves the rest, and heals when it returns', true),
  degradedAtStart('so does a group whose disks are not listed', false),
  {
    title: 'a disk that fails under a running driver is reported, nothing is written meanwhile, and it heals',
    run: async () => {
      const [one = '', other = ''] = await machine.loops(2);
      const sectors = await machine.sh(`blockdev --getsz ${other}`);
      const linear = `0 ${sectors} linear ${other} 0`;
      await machine.sh(`DM_DISABLE_UDEV=1 dmsetup create disk2 --table "${linear}"`);
      const { driver, first, second } = await twoDisks([one, '/dev/mapper/disk2']);
      const uuid = await uuidOf('/dev/mapper/disk2');
      const become = (table: string) =>
        machine.sh(`dmsetup load disk2 --table "${table}"; DM_DISABLE_UDEV=1 dmsetup resume disk2`);
      await become(`0 ${sectors} error`);
      await until(async () => !(await driver.stats()).acceptsCreates, 'the problem is reported', 60_000);
      await assertDegraded(driver, first, second, uuid);
      await become(linear);
      await assertWhole(driver, first, second);
    },
  },
  {
    title: 'a disk that LVM has marked missing is named with the command that takes it back',
    run: async () => {
      const disks = await machine.loops(2);
      const { driver: before, first, second } = await twoDisks(disks);
      await before.close();
      await machine.sh(`lvm vgchange -an ${group}; losetup -d ${disks[1]}
        lvm lvchange --addtag theirs ${group}/volume-${first.id}
        losetup ${disks[1]} ${LvmMachine.fileOf(disks[1] ?? '')}`);
      assert.equal(await isMarked(), true);
      const driver = machine.driver({ storageDev: disks });
      await driver.setup();
      await driver.ensureVolume(first);
      assert.match((await driver.stats()).problem ?? '', new RegExp(`${disks[1]} .* is back`));
      await assert.rejects(driver.createVolume(spec()), {
        code: 'GroupIncomplete',
        hint: new RegExp(`vgextend --restoremissing ${group} ${disks[1]}`),
      });
      await machine.sh(`lvm vgextend --restoremissing ${group} ${disks[1]}`);
      await assertWhole(driver, first, second);
    },
  },
  {
    title: 'the only disk of a group that returns under another name is used again without a restart',
    run: async () => {
      const [disk = ''] = await machine.loops(1);
      await machine.sh(`mkdir -p /dev/links; ln -s ${disk} /dev/links/only`);
      for (const storageDev of [['/dev/links/only'], []]) {
        const driver = machine.driver({ storageDev, numShellTries: 1 });
        await driver.setup();
        const volume = spec({ sizeBytes: 2 ** 24 });
        await driver.createVolume(volume);
        const now = await machine.sh('readlink -f /dev/links/only');
        const next = now === disk ? '/dev/loop5' : disk;
        await machine.sh(`lvm vgchange -an ${group}; losetup -d ${now}; rm /dev/links/only`);
        const told = async () => driver.hasVolume(volume).then(String, (error: BlockstoreError) => error.hint ?? '');
        await until(async () => /^(re)?connect/.test(await told()), 'the disk is missed', 60_000);
        await machine.sh(`losetup ${next} ${LvmMachine.fileOf(disk)}; ln -s ${next} /dev/links/only`);
        await until(async () => (await told()) === 'false', 'the group is found', 60_000);
        await driver.ensureVolume(volume);
        await driver.deleteVolume(volume);
        await driver.close();
      }
    },
  },
  {
    title: 'volume_clear = discard overwrites what is on disks that discard nothing',
    run: async () => {
      const [disk = ''] = await machine.loops(1);
      await machine.sh(`echo 0 >/sys/block/${disk.slice(5)}/queue/discard_max_bytes`);
      const driver = machine.driver({ storageDev: [disk], volumeClear: 'discard' });
      await driver.setup();
      const [volume, next] = [spec({ sizeBytes: 2 ** 26 }), spec({ sizeBytes: 2 ** 26 })];
      await driver.createVolume(volume);
      await machine.write(driver.localPath(volume), 'secret', [8192, 2 ** 25]);
      await driver.deleteVolume(volume);
      await driver.createVolume(next);
      assert.deepEqual(await machine.read(driver.localPath(next), [8192, 2 ** 25]), ['', '']);
    },
  },
  {
    title: 'disks with one basename, and two names of one disk, are taken for what they are',
    run: async () => {
      const [one, other] = await machine.loops(2);
      await machine.sh(`mkdir -p /dev/links/x /dev/links/y; ln -s ${one} /dev/links/x/disk; ln -s ${other} /dev/links/y/disk
        ln -s ${one} /dev/links/again`);
      const storageDev = ['/dev/links/x/disk', '/dev/links/y/disk', '/dev/links/again'];
      for (const driver of [machine.driver({ storageDev }), machine.driver({ storageDev })]) {
        await driver.setup();
        const volume = spec({ sizeBytes });
        await driver.createVolume(volume);
        await driver.close();
      }
      assert.equal(await machine.sh(`lvm vgs --noheadings -o pv_count,lv_count ${group}`), '2   2');
    },
  },
  {
    title: 'disks with sectors of 4096 bytes are used, but not beside those of 512',
    run: async () => {
      const [small = ''] = await machine.loops(1);
      const large = await machine.loops(1, 4096);
      await assert.rejects(machine.driver({ storageDev: [small, ...large] }).setup(), {
        code: 'StorageUnusable',
        message: /sector sizes.*512 bytes.*4096 bytes/,
      });
      assert.equal(await machine.sh(`wipefs ${small} ${large.join(' ')}`), '', 'nothing was written');
      const driver = machine.driver({ storageDev: large });
      await driver.setup();
      const volume = spec({ sizeBytes });
      await driver.createVolume(volume);
      const exported = { id: volume.id, path: driver.localPath(volume) };
      await assert.rejects(checkSectors(exported, 'sync'), { code: 'ExportFailed', message: /4096 bytes.*cached/ });
      await checkSectors(exported, 'cached');
      await machine.write(driver.localPath(volume), 'secret', [0, sizeBytes - 4096]);
      await driver.deleteVolume(volume);
      const next = spec({ sizeBytes });
      await driver.createVolume(next);
      assert.deepEqual(await machine.read(driver.localPath(next), [0, sizeBytes - 4096]), ['', '']);
    },
  },
  {
    title: 'a read-only logical volume is not exported to hosts that write',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const exported = { id: volume.id, path: driver.localPath(volume) };
      await checkWritable({ ...exported, readOnly: false });
      await machine.sh(`lvm lvchange --permission r ${group}/volume-${volume.id}`);
      await assert.rejects(checkWritable({ ...exported, readOnly: false }), {
        code: 'ExportFailed',
        hint: /--mode ro.*lvchange --permission rw/,
      });
      await checkWritable({ ...exported, readOnly: true });
    },
  },
  {
    title: 'a disk that is part of a device-mapper map is named with the map, and nothing is written',
    run: async () => {
      const [disk = ''] = await machine.loops(1);
      await machine.sh(`dmsetup create path-a --table "0 2048 linear ${disk} 0"`);
      try {
        const expected = {
          code: 'StorageUnusable',
          message: /part of device-mapper map path-a \(to release it: dmsetup remove path-a\)/,
        };
        await assert.rejects(machine.driver({ storageDev: [disk] }).setup(), expected);
        await assert.rejects(doctor(disk), expected);
      } finally {
        await machine.sh('dmsetup remove path-a');
      }
      assert.equal(await machine.sh(`wipefs ${disk}`), '');
      assert.deepEqual(
        (await doctor(disk)).map(({ level }) => level),
        ['ok'],
      );
      // As a power loss during vgcreate leaves it.
      await machine.sh(`lvm pvcreate --yes ${disk}`);
      assert.deepEqual(
        (await doctor(disk)).map(({ level }) => level),
        ['ok'],
      );
      await machine.sh(`lvm pvremove --yes ${disk}`);
    },
  },
  {
    title: 'a listed disk that does not exist is named, and nothing is created on the others',
    run: async () => {
      const storageDev = [machine.disk, '/dev/none'];
      await assert.rejects(machine.driver({ storageDev }).setup(), { code: 'StorageUnusable', message: /\/dev\/none/ });
      assert.equal(await machine.sh(`wipefs ${machine.disk}`), '');
    },
  },
  {
    title: 'a vgcreate that fails says why, in few words',
    run: async () => {
      const [disk = ''] = await machine.loops(1);
      await machine.sh(
        `losetup -d ${disk}; truncate -s 256K ${LvmMachine.fileOf(disk)}; losetup ${disk} ${LvmMachine.fileOf(disk)}`,
      );
      const setup = machine.driver({ storageDev: [disk] }).setup();
      await assert.rejects(setup, (error: Error) => {
        assert.match(error.message, /^"vgcreate nova-volumes \/dev\/loop\d+" failed: \w.{10,200}$/);
        return true;
      });
    },
  },
];

await runCases(machine, list);
