import test from 'ava';
import { describeMap } from '../../../lib/devices/holders.ts';
import { blockDeviceUsers, mountPoints } from '../../../lib/devices/users.ts';

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
