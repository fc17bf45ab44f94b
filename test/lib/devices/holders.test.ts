import test from 'ava';
import { describeHolder, describeMap } from '../../../lib/devices/holders.ts';

test('a RAID device on a device is described with the command that releases it', async (t) => {
  t.is(await describeHolder('md0'), 'part of RAID device md0 (to release it: mdadm --stop /dev/md0)');
});

test('a map on a device is described by its kind, with the command that releases it', (t) => {
  const described = [
    ['my--group-data--1', 'LVM-abcdef', 'LVM volume group my-group', 'vgchange -an my-group'],
    ['mpatha', 'mpath-36001405', 'multipath map mpatha', 'multipath -f mpatha'],
    ['secret', 'CRYPT-LUKS2-1', 'encrypted device secret', 'cryptsetup close secret'],
    ['other', '', 'device-mapper map other', 'dmsetup remove other'],
  ] as const;
  for (const [map, uuid, user, command] of described) {
    t.is(describeMap(map, uuid), `part of ${user} (to release it: ${command})`);
  }
});

test('a holder of another kind is described by its name', async (t) => {
  t.is(await describeHolder('bcache0'), 'part of bcache0');
});
