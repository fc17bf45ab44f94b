import test from 'ava';
import { obstaclesTo } from '../../../../lib/drivers/lvm/obstacles.ts';
import type { OneLogicalVolume } from '../../../../lib/drivers/lvm/reports.ts';

const name = 'my-group/volume-1';

function obstacles(fields: Partial<OneLogicalVolume>): string {
  const plain: OneLogicalVolume = {
    name: 'volume-1',
    sizeBytes: 4_194_304,
    tags: [],
    isPartial: false,
    active: true,
    open: false,
    dependants: [],
    locked: false,
    layout: ['linear'],
    roles: ['public'],
    readOnly: false,
    suspended: false,
    missingDisks: 0,
  };
  return obstaclesTo({ ...plain, ...fields }, name).join('\n');
}

test('nothing is in the way of a volume that holds its data alone, in one place or in several', (t) => {
  for (const layout of [['linear'], ['striped'], ['mirror'], ['raid', 'raid1'], ['linear', 'partial']]) {
    t.is(obstacles({ layout }), '');
  }
});

test('each obstacle is named with the command that releases it, and several together', (t) => {
  const origin = { roles: ['public', 'origin', 'thickorigin'] };
  t.regex(obstacles({ ...origin, dependants: ['a', 'b'] }), /snapshots.*lvremove my-group\/a my-group\/b$/);
  t.regex(obstacles(origin), /merges a snapshot into it.*lvs -a my-group$/);
  for (const layout of ['cache', 'writecache']) {
    t.regex(obstacles({ layout: [layout] }), /lvconvert --uncache my-group\/volume-1$/);
  }
  t.regex(obstacles({ layout: ['thin', 'pool'] }), /uses it as thin, pool;.*lvremove my-group\/volume-1$/);
  t.regex(obstacles({ locked: true }), /pvmove --abort$/);
  t.regex(obstacles({ suspended: true }), /dmsetup resume my--group-volume--1$/);
  t.is(obstacles({ locked: true, suspended: true, dependants: ['a'] }).split('\n').length, 3);
});
