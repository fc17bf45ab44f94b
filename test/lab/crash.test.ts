import { chosenCrashTests } from '../crash/tests.ts';

/** The daemon on LVM and AoE is killed where it leaves something running behind, or has made what it has not recorded yet. */
await chosenCrashTests('lvm', {
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
});
