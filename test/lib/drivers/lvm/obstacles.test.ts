import test from 'ava';
import { obstaclesTo, splitOff } from '../../../../lib/drivers/lvm/obstacles.ts';
import type { OneLogicalVolume } from '../../../../lib/drivers/lvm/reports.ts';

const name = 'my-group/volume-1';

function obstacles(fields: Partial<OneLogicalVolume>): string {
  const plain: OneLogicalVolume = {
    name: 'volume-1',
    sizeBytes: 4_194_304,
    tags: [],
    isPartial: false,
    isStale: false,
    active: true,
    open: false,
    dependants: [],
    locked: false,
    layout: ['linear'],
    roles: ['public'],
    readOnly: false,
    suspended: false,
    missingDisks: 0,
    isThickSnapshot: false,
    isOverflowed: false,
    origin: '',
    deviceBytes: undefined,
    isThin: false,
    pool: '',
    isZeroed: false,
    isMerging: false,
  };
  return obstaclesTo({ ...plain, ...fields }, name).join('; ');
}

test('nothing is in the way of a volume that holds its data alone, in one place or in several', (t) => {
  for (const layout of [['linear'], ['striped'], ['mirror'], ['raid', 'raid1'], ['linear', 'partial']]) {
    t.is(obstacles({ layout }), '');
  }
});

test('each obstacle is named with the command that releases it, and several together', (t) => {
  const origin = { roles: ['public', 'origin', 'thickorigin'] };
  const split = (snapshot: string) =>
    `lvconvert -y --splitsnapshot my-group/${snapshot} && blkdiscard --force --zeroout /dev/my-group/${snapshot} && ` +
    `lvremove -y my-group/${snapshot}`;
  t.true(obstacles({ ...origin, dependants: ['a', 'b'] }).endsWith(`snapshots: ${split('a')} && ${split('b')}`));
  t.regex(obstacles(origin), /merges a snapshot into it.*lvs -a my-group; then /);
  for (const layout of ['cache', 'writecache']) {
    t.regex(obstacles({ layout: [layout] }), /lvconvert --uncache my-group\/volume-1; then /);
  }
  t.regex(obstacles({ layout: ['thin', 'pool'] }), /uses it as thin, pool;.*lvremove my-group\/volume-1; then /);
  t.regex(obstacles({ roles: ['extorigin'], dependants: ['a'] }), /depend on it; .*lvremove my-group\/a; then /);
  t.regex(obstacles({ locked: true }), /pvmove --abort; then /);
  t.regex(obstacles({ suspended: true }), /dmsetup resume my--group-volume--1$/);
  t.is(obstacles({ locked: true, suspended: true, dependants: ['a'] }).split('; ').length, 6);
});

test('snapshots of a thin volume in its pool are not in the way, others that need it are', (t) => {
  const thin = { isThin: true, pool: 'pool', layout: ['thin', 'sparse'] };
  t.is(obstacles({ ...thin, roles: ['public', 'origin', 'thinorigin', 'snapshot', 'thinsnapshot'] }), '');
  t.regex(
    obstacles({ ...thin, roles: ['thickorigin'], dependants: ['a'] }),
    /--splitsnapshot my-group\/a .*lvremove -y my-group\/a$/,
  );
  t.regex(
    obstacles({ ...thin, roles: ['extthinorigin'], dependants: ['a'] }),
    /depend on it; remove them: lvremove my-group\/a$/,
  );
  t.regex(obstacles({ ...thin, isMerging: true }), /merges a snapshot into it/);
  t.regex(obstacles({ layout: ['thin', 'pool'], pool: '' }), /uses it as thin, pool/);
});

test('an image of a mirror that a wipe does not reach is in the way', (t) => {
  t.regex(obstacles({ layout: ['raid', 'raid1'], isStale: true }), /lvchange --refresh my-group\/volume-1$/);
  const visible = (...names: string[]) =>
    splitOff(
      names.map((one) => ({ name: one })),
      name,
    );
  t.regex(visible('volume-1', 'volume-1_rimage_1') ?? '', /lvconvert --merge my-group\/volume-1_rimage_1$/);
  t.is(visible('volume-1', 'volume-2_rimage_1', 'copy'), undefined);
});

test('where data of the volume stays in freed extents, the command that wipes them is named', (t) => {
  const wipe =
    'then wipe the extents that this frees: lvcreate -y -Wn -l 100%FREE -n scratch my-group && ' +
    'blkdiscard --force --zeroout /dev/my-group/scratch && lvremove -y my-group/scratch';
  const thin = { roles: ['extorigin'], dependants: ['a'] };
  const merging = { roles: ['origin', 'thickorigin'] };
  for (const fields of [merging, { layout: ['cache'] }, { layout: ['thin'] }, { locked: true }, thin]) {
    t.true(obstacles(fields).endsWith(wipe), JSON.stringify(fields));
  }
  t.is(obstacles({ locked: true, layout: ['cache'] }).split('100%FREE').length, 2, 'once is enough');
});
