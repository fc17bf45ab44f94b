import test from 'ava';
import { type LvmFailure, failureOf, lvmError } from '../../../../lib/drivers/lvm/failures.ts';

const said: Record<string, LvmFailure> = {
  'Logical Volume "volume-1" already exists in volume group "v"': 'exists',
  'Failed to find logical volume "v/nope"': 'absent',
  'Volume group "v" has insufficient free space (51158 extents): 128000 required.': 'noSpace',
  'Insufficient suitable allocatable extents for logical volume a: 10 more required': 'noSpace',
  'Volume group "nope" not found': 'noGroup',
  'Logical volume v/a in use.': 'busy',
  'Logical volume v/a contains a filesystem in use.': 'busy',
  'Cannot change VG v while PVs are missing.': 'incomplete',
  'Refusing activation of partial LV v/a.': 'incomplete',
  'Something new': 'other',
};

for (const [message, failure] of Object.entries(said)) {
  test(`${failure}: ${message}`, (t) => {
    t.is(failureOf({ status: 5, rows: [], messages: [message], reported: false }), failure);
    t.is(failureOf({ status: 3, rows: [], messages: [message], reported: false }), 'other');
  });
}

test('an error names the command and has the messages of LVM', (t) => {
  const error = lvmError(
    ['lvcreate', '-y', 'v'],
    { status: 5, rows: [], messages: ['Something new'], reported: false },
    'v',
  );
  t.is(error.code, 'LvmFailed');
  t.regex(error.message, /lvcreate.*Something new/);
  t.is(
    lvmError(['vgs'], { status: 5, rows: [], messages: ['Volume group "v" not found'], reported: false }, 'v').code,
    'NoVolumeGroup',
  );
});
