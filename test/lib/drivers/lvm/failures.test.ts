import test from 'ava';
import { type LvmFailure, failureOf, lvmError } from '../../../../lib/drivers/lvm/failures.ts';

const said: Record<string, LvmFailure> = {
  'Logical Volume "volume-1" already exists in volume group "v"': 'exists',
  'Failed to find logical volume "v/nope"': 'absent',
  'Volume group "v" has insufficient free space (51158 extents): 128000 required.': 'noSpace',
  'Insufficient suitable allocatable extents for logical volume a: 10 more required': 'noSpace',
  'Insufficient suitable contiguous allocatable extents for logical volume a: 8 more required': 'noSpace',
  'Cannot create new thin volume, free space in thin pool v/p reached threshold.': 'noSpace',
  'device-mapper: message ioctl on  (254:2) failed: No data available': 'lost',
  'Volume group "nope" not found': 'noGroup',
  'Logical volume v/a in use.': 'busy',
  'Logical volume v/a contains a filesystem in use.': 'busy',
  'Cannot change VG v while PVs are missing.': 'incomplete',
  'Refusing activation of partial LV v/a.': 'incomplete',
  'Volume group nova-volumes is exported': 'exported',
  'Maximum number of logical volumes (1) reached in volume group v': 'tooMany',
  "Can't get lock for v": 'inaccessible',
  '/run/lock/lvm/V_v: open failed: Permission denied': 'inaccessible',
  'Failed to lock logical volume v/a.': 'other',
  'device-mapper: reload ioctl on  (253:3) failed: Invalid argument': 'other',
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

test('a kernel without the module of thin volumes is named with the command that loads it', (t) => {
  const messages = ['thin: Required device-mapper target(s) not detected in your kernel.'];
  const error = lvmError(['lvcreate', 'v'], { status: 3, rows: [], messages, reported: false }, 'v');
  t.is(error.code, 'LvmFailed');
  t.regex(error.hint ?? '', /modprobe -a dm_snapshot dm_thin_pool/);
});

test('a group that is exported or at its limit of volumes is named with the command that helps', (t) => {
  const answer = (message: string) => ({ status: 5, rows: [], messages: [message], reported: false });
  const exported = lvmError(['lvs', 'v'], answer('Volume group v is exported'), 'v');
  t.like(exported, { code: 'GroupInaccessible', hint: 'if it belongs to this host now: vgimport v' });
  const full = lvmError(
    ['lvcreate', 'v'],
    answer('Maximum number of logical volumes (1) reached in volume group v'),
    'v',
  );
  t.like(full, { code: 'GroupFull', kind: 'exhausted', hint: 'remove its limit: vgchange --maxlogicalvolumes 0 v' });
});
