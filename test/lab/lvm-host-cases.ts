import assert from 'node:assert/strict';
import { access, readFile, realpath, writeFile } from 'node:fs/promises';
import { checkLvmFilter } from '../../cli/doctor/lvm-filter.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { hidingSettings, hostileSettings } from './hostile-lvm.ts';
import { LvmMachine, WithoutShell, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-host-cases.ts <disk of 4 GiB> <another>. What lvm.conf and the state of a host do.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const list: readonly LvmCase[] = [
  {
    title: 'no setting of the host that shapes the output of LVM, hides disks or stops commands makes a difference',
    run: async () => {
      await machine.configure([...hostileSettings, ...hidingSettings].join(' '));
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
        assert.match(
          (await machine.check())[0]?.message ?? '',
          /^volume group nova-volumes: [\d.]+ GiB free of [\d.]+ GiB$/,
        );
        await driver.deleteVolume(volume);
        await driver.close();
      }
    },
  },
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
      const lists = {
        volume_list: '["other"]',
        read_only_volume_list: `["${group}"]`,
      };
      for (const [name, value] of Object.entries(lists)) {
        await machine.configure(`activation/volume_list=["${group}"] activation/${name}=${value}`);
        await filtered.setup();
        const names = new RegExp(`activation/${name} in lvm.conf`);
        await assert.rejects(filtered.createVolume(spec()), { code: 'GroupInaccessible', message: names });
        const stats = await filtered.stats();
        assert.equal(stats.acceptsCreates, false);
        assert.match(stats.problem ?? '', names);
        assert.ok((await machine.check()).some(({ level, message }) => level === 'bad' && names.test(message)));
      }
    },
  },
  {
    title: 'a volume that cannot be activated does not keep the others from being served',
    run: async () => {
      const before = machine.driver();
      await before.setup();
      const [broken, sound] = [spec(), spec()];
      for (const volume of [broken, sound]) await before.createVolume(volume);
      await before.close();
      const taken = [group, `volume-${broken.id}`].map((part) => part.replaceAll('-', '--')).join('-');
      await machine.sh(`lvm vgchange -an ${group}
        DM_DISABLE_UDEV=1 dmsetup create ${taken} --table "0 8 error"`);
      const driver = machine.driver();
      await driver.setup();
      await driver.ensureVolume(sound);
      assert.equal(await driver.hasVolume(sound), true);
      await assert.rejects(driver.ensureVolume(broken), { code: 'LvmFailed' });
      await machine.sh(`dmsetup remove ${taken}`);
      await driver.ensureVolume(broken);
    },
  },
  {
    title: 'the names of a volume below /dev are made again, and a file in their place is neither exported nor removed',
    run: async () => {
      const driver = machine.driver({ numShellTries: 1 });
      await driver.setup();
      const volume = spec();
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.write(device, 'data', [4096]);
      await machine.sh(`rm -r /dev/${group}`);
      await driver.ensureVolume(volume);
      assert.match((await machine.read(device, [4096]))[0] ?? '', /^data/);
      await machine.sh(`lvm lvchange -an ${group}/volume-${volume.id}; mkdir -p /dev/${group}; echo theirs >${device}`);
      const refusal = { code: 'NotActivated', message: /is not its device/, hint: /mv \/dev/ };
      await assert.rejects(driver.ensureVolume(volume), refusal);
      await assert.rejects(driver.deleteVolume(volume), refusal);
      await driver.setup();
      assert.equal(await machine.sh(`cat ${device}; rm -r /dev/${group}`), 'theirs');
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'the name that the metadata of a group has for its disk contains the name that the host has for it',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      await driver.createVolume(spec());
      const disk = await realpath(await machine.sh(`lvm pvs --noheadings -o pv_name -S vg_name=${group} | tr -d ' '`));
      const hint = await machine.sh(
        `lvm vgcfgbackup -f /tmp/metadata ${group} >&2; sed -n 's/.*device = //p' /tmp/metadata`,
      );
      assert.match(hint, new RegExp(`[/"]${disk.slice(1).replaceAll('/', '[/!]')}"`));
    },
  },
  {
    title: 'tags of the host decide which groups it activates, with and without a resident shell',
    run: async () => {
      const conf = '/etc/lvm/lvm.conf';
      await machine.sh(`cp -n ${conf} ${conf}.kept`);
      const settings = await readFile(conf, 'utf8');
      const before = machine.driver();
      await before.setup();
      const volume = spec();
      await before.createVolume(volume);
      await before.close();
      for (const processes of [new ChildProcesses(), new WithoutShell()]) {
        for (const more of ['', 'activation/volume_list=["@*"]\n']) {
          await writeFile(conf, `${settings}\ntags {\n site {\n }\n}\n${more}`);
          await machine.sh(`lvm vgchange -an ${group}`);
          const driver = machine.driver({}, processes);
          await driver.setup();
          await assert.rejects(driver.createVolume(spec()), { code: 'GroupInaccessible', message: /activate/ });
          await assert.rejects(driver.ensureVolume(volume), { code: 'NotActivated' });
          await machine.sh(`lvm vgchange --addtag site ${group}`);
          await driver.setup();
          await driver.ensureVolume(volume);
          assert.equal(await driver.hasVolume(volume), true);
          assert.equal((await driver.stats()).acceptsCreates, true);
          await driver.close();
          await machine.sh(`lvm vgchange --deltag site ${group}`);
        }
      }
    },
  },
  {
    title: 'an empty lvm.conf, or one without a section activation, is one without lists',
    run: async () => {
      await machine.sh('cp -n /etc/lvm/lvm.conf /etc/lvm/lvm.conf.kept');
      for (const text of ['', 'devices {\n}\n', 'activation {\n}\n']) {
        await writeFile('/etc/lvm/lvm.conf', text);
        const driver = machine.driver();
        await driver.setup();
        assert.deepEqual(
          (await machine.check()).filter(({ level }) => level !== 'ok'),
          [],
        );
        assert.match((await checkLvmFilter(new ChildProcesses())).message, /^LVM of this host scans/);
      }
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
  {
    title: 'copies of the metadata go on in the own directory when /etc/lvm/backup is gone',
    run: async () => {
      const directory = '/run/lvm-loop-link';
      await machine.sh('mkdir -p /etc/lvm/backup');
      const before = machine.driver({ directory });
      await before.setup();
      await before.close();
      await machine.sh('rm -rf /run/lvm-backup; mv /etc/lvm/backup /run/lvm-backup');
      try {
        const driver = machine.driver({ directory });
        await driver.setup();
        const volume = spec();
        await driver.createVolume(volume);
        await driver.stats();
        assert.match(await readFile(`${directory}/backup/${group}`, 'utf8'), new RegExp(volume.id));
      } finally {
        await machine.sh('rm -rf /etc/lvm/backup; mv /run/lvm-backup /etc/lvm/backup');
      }
    },
  },
];

await runCases(machine, list);
