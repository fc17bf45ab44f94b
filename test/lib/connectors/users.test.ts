import test from 'ava';
import { mountPoints } from '../../../lib/connectors/users.ts';

test('every mount of a device is named, blanks in its path included', (t) => {
  const table = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    String.raw`40 22 152:16 / /mnt/my\040volume rw,relatime - ext4 /dev/etherd/e7.1 rw`,
    '41 22 152:16 /sub /srv rw,relatime - ext4 /dev/etherd/e7.1 rw',
    '42 22 152:1 / /mnt/other rw,relatime - ext4 /dev/etherd/e7.0 rw',
    '',
  ].join('\n');
  t.deepEqual(mountPoints(table, new Set(['152:16'])), ['/mnt/my volume', '/srv']);
  t.deepEqual(mountPoints(table, new Set(['152:99'])), []);
});
