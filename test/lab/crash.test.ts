import type { Moment } from '../crash/plan.ts';
import { crashTests } from '../crash/tests.ts';

/**
 * The daemon on LVM and AoE is killed where it leaves something running behind, or has made what it has not recorded yet. All points
 * there are: `npm run crash lvm`.
 */
const chosen: Readonly<Record<string, readonly [Moment, RegExp][]>> = {
  create: [
    ['after', /^lvm < lvcreate/],
    ['after', /^perl launcher.pl </],
  ],
  delete: [
    ['after', /^start blkdiscard/],
    ['after', /^lvm < lvremove/],
  ],
  attach: [['before', /^perl launcher.pl > answer/]],
  detach: [['after', /^kill SIGTERM/]],
  start: [
    ['after', /^start lvm/],
    ['after', /^script adopt/],
  ],
  upkeep: [['after', /^perl launcher.pl </]],
  audit: [['after', /^script adopt/]],
};

await crashTests('lvm', (operation, points) =>
  (chosen[operation] ?? []).map(([moment, pattern]) => {
    const point = points.find(({ moment: when, name }) => when === moment && pattern.test(name));
    if (!point) throw new Error(`${operation} has no point ${moment} ${pattern}`);
    return point;
  }),
);
