import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { describeMap } from '../../../lib/devices/holders.ts';
import { blockDeviceUsers, mountPoints, visibleUsers } from '../../../lib/devices/users.ts';

test('mount points are found by device number, with blanks in their names', (t) => {
  const table = [
    String.raw`36 35 152:16 / /mnt/my\040volume rw,noatime shared:1 - ext4 /dev/etherd/e1.1 rw`,
    '37 35 152:32 / /mnt/other rw - ext4 /dev/etherd/e1.2 rw',
    '38 35 152:16 /sub /srv rw - ext4 /dev/etherd/e1.1 rw',
    '',
  ].join('\n');
  t.deepEqual(mountPoints(table, new Set(['152:16'])), ['/mnt/my volume', '/srv']);
  t.deepEqual(mountPoints(table, new Set(['152:99'])), []);
});

test('a device that does not exist has no users', async (t) => {
  t.deepEqual(await blockDeviceUsers('etherd!e65000.200'), { users: [], unreadable: 0 });
});

test('a map on a device is described by its kind, with the command that releases it', (t) => {
  t.is(
    describeMap('my--group-data--1', 'LVM-abcdef'),
    'part of LVM volume group my-group (to release it: vgchange -an my-group)',
  );
  t.is(describeMap('mpatha', 'mpath-36001405'), 'part of multipath map mpatha (to release it: multipath -f mpatha)');
  t.regex(describeMap('secret', 'CRYPT-LUKS2-1'), /cryptsetup close secret\)$/);
  t.regex(describeMap('other', ''), /device-mapper map other .*dmsetup remove other\)$/);
});

const execute = promisify(execFile);
const canLoop = process.getuid?.() === 0 && existsSync('/dev/loop-control') && existsSync('/usr/sbin/losetup');
const withLoop = canLoop ? test : test.skip;

withLoop('a loop device over a device is a user of it, which no process has open', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-loop-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'disk'), Buffer.alloc(2 ** 20));
  const loop = async (file: string) => {
    const device = (await execute('losetup', ['--find', '--show', file])).stdout.trim();
    t.teardown(() => execute('losetup', ['--detach', device]));
    return device;
  };
  const below = await loop(join(directory, 'disk'));
  t.deepEqual((await visibleUsers(basename(below))).users, []);
  const above = await loop(below);
  t.deepEqual((await visibleUsers(basename(below))).users, [
    `backing file of ${above} (to release it: losetup --detach ${above})`,
  ]);
});

const disk = readdirSync('/sys/block').find((name) => /^(vd|sd|xvd|nvme|ubd|mmcblk)/.test(name)) ?? '';
const withDisk = process.getuid?.() === 0 && disk !== '' ? test : test.skip;

withDisk(
  'a device is taken for unused where open files of processes are not readable, and their number is reported',
  async (t) => {
    // Without the right to look into other processes, as root in a container.
    const script = `import { visibleUsers } from './lib/devices/users.ts';
    console.log(JSON.stringify(await visibleUsers(process.argv[1])));`;
    const node = [process.execPath, '--input-type=module-typescript', '-e', script, disk];
    const confined = ['--bounding-set=-all', '--inh-caps=-all', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { stdout } = await execute('setpriv', [...confined, ...node]);
    const { users, unreadable }: { users: string[]; unreadable: number } = JSON.parse(stdout);
    t.true(unreadable > 0);
    t.deepEqual(
      users.filter((user) => user.startsWith('open in')),
      [],
    );
  },
);
