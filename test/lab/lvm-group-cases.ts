import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { checkVolumeGroup } from '../../lib/drivers/lvm/check.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { LvmMachine, WithoutShell, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-group-cases.ts <disk of 4 GiB> <another>. What administrators do to a group and its host.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const hostile = [
  'report/binary_values_as_numeric=1',
  'report/list_item_separator=";"',
  'report/compact_output=1',
  'report/prefixes=1',
  'report/quoted=0',
  'report/headings=0',
  'report/columns_as_rows=1',
  'report/two_word_unknown_device=1',
  'report/output_format="basic"',
  'log/prefix="LVM: "',
  'log/command_names=1',
  'log/verbose=1',
  'global/units="h"',
  'global/suffix=1',
].join(' ');

const flags = {
  volume_group: group,
  storage_dev: [machine.disk],
  storage_create: true,
  volume_clear: 'zero',
  volume_clear_mibps: 0,
} as const;

const check = (storage_create = true) =>
  checkVolumeGroup({ ...flags, storage_dev: [...flags.storage_dev], storage_create }, new ChildProcesses());

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
      await assert.rejects(check(), expected);
      assert.equal(await machine.sh(`head -c 4M ${machine.disk} | md5sum`), before, 'nothing was written');
    },
  };
}

const list: readonly LvmCase[] = [
  {
    title: 'no setting of the host that shapes the output of LVM makes a difference',
    run: async () => {
      await machine.configure(hostile);
      for (const processes of [new ChildProcesses(), new WithoutShell()]) {
        const driver = machine.driver({}, processes);
        await driver.setup();
        const volume = spec({ labels: { user: 'a,b;c', project: 'p' } });
        await driver.createVolume(volume);
        assert.equal(await driver.hasVolume(volume), true);
        assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
        const stats = await driver.stats();
        assert.equal(stats.acceptsCreates, true);
        assert.equal(stats.volumeBytes, volume.sizeBytes);
        assert.match((await check())[0]?.message ?? '', /^volume group nova-volumes: [\d.]+ GiB free of [\d.]+ GiB$/);
        await driver.deleteVolume(volume);
        await driver.close();
      }
    },
  },
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
        await driver.deleteVolume(volume);
        assert.match((await machine.read(`/dev/${name}`, [0]))[0] ?? '', /^theirs/);
        await machine.sh(`lvm lvremove -y ${name}`);
      }
    },
  },
  {
    title: 'a volume with snapshots, or that pvmove moves, is busy before anything of it is wiped',
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
        message: /lvremove nova-volumes\/nightly nova-volumes\/weekly/,
      });
      assert.match((await machine.read(`/dev/${group}/nightly`, [0]))[0] ?? '', /^data/);
      await machine.sh(snapshots.map((name) => `lvm lvremove -y ${group}/${name}`).join('; '));
      await machine.sh(`lvm pvmove -b -i 300 -n volume-${volume.id} ${machine.disk} ${machine.otherDisk}`);
      await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /pvmove --abort/ });
      assert.match((await machine.read(device, [0]))[0] ?? '', /^data/);
      await machine.sh('lvm pvmove --abort');
      await driver.deleteVolume(volume);
    },
  },
  refused(
    'a group of another host is named so',
    `lvm vgchange -y --systemid other --config 'local/extra_system_ids=["other"]' ${group}`,
    {
      code: 'GroupInaccessible',
      message: /system ID other/,
      hint: /vgchange --systemid/,
    },
  ),
  refused('an exported group is named so', `lvm vgexport ${group}`, {
    code: 'GroupInaccessible',
    message: /is exported/,
    hint: /vgimport/,
  }),
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
    title:
      'a volume whose activation is to be skipped is active after a start; one that a filter keeps inactive says so',
    run: async () => {
      const before = machine.driver();
      await before.setup();
      const volume = spec();
      await before.createVolume(volume);
      await before.close();
      await machine.sh(`lvm lvchange --setactivationskip y ${group}/volume-${volume.id}; lvm vgchange -an ${group}`);
      const driver = machine.driver();
      await driver.setup();
      await driver.ensureVolume(volume);
      assert.equal(await driver.hasVolume(volume), true);
      await driver.close();
      await machine.sh(`lvm vgchange -an ${group}`);
      await machine.configure('activation/volume_list=["other"]');
      const filtered = machine.driver();
      await filtered.setup();
      await assert.rejects(filtered.ensureVolume(volume), { code: 'NotActivated', hint: /activation\/volume_list/ });
    },
  },
  {
    title: 'a group of the same name that a guest makes inside its volume is never seen',
    run: async () => {
      await machine.configure('devices/scan_lvs=1 devices/filter=["a|.*|"]');
      const [disk = ''] = await machine.loops(1);
      await machine.sh(
        `lvm vgcreate ${group} ${disk}; dd if=${disk} of=/run/lvm-loop-start bs=1M count=2; wipefs -qa ${disk}`,
      );
      const before = machine.driver();
      await before.setup();
      const volume = spec({ size: 1 });
      await before.createVolume(volume);
      await machine.sh(`dd if=/run/lvm-loop-start of=${before.localPath(volume)} conv=notrunc,fsync`);
      await before.close();
      const driver = machine.driver({ storageDev: [], directory: '/run/lvm-loop-state' });
      await driver.setup();
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
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
  {
    title: 'without /etc/lvm/backup the only copy of the metadata survives starts',
    run: async () => {
      await machine.sh('rm -rf /run/lvm-backup; mv /etc/lvm/backup /run/lvm-backup');
      try {
        const directory = '/run/lvm-loop-directory';
        const copy = `${directory}/backup/${group}`;
        const driver = machine.driver({ directory });
        await driver.setup();
        const volume = spec();
        await driver.createVolume(volume);
        await driver.stats();
        assert.match(await readFile(copy, 'utf8'), new RegExp(volume.id));
        await driver.close();
        await machine.driver({ directory }).setup();
        await access(copy);
      } finally {
        await machine.sh('mv /run/lvm-backup /etc/lvm/backup');
      }
    },
  },
];

await runCases(machine, list);
