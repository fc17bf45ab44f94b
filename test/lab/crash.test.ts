import { chosenCrashTests } from '../crash/tests.ts';

/**
 * The daemon on LVM and AoE is killed at every point of what clients ask for; of what it does by itself where it leaves something
 * running behind, or has made what it has not recorded yet.
 */
await chosenCrashTests('lvm', {
  create: 'all',
  delete: 'all',
  attach: 'all',
  detach: 'all',
  start: [
    ['after', /^start lvm/],
    ['after', /^script adopt/],
  ],
  'first-start': [['after', /^start lvm vgcreate/]],
  upkeep: [['after', /^perl launcher.pl </]],
  audit: [['after', /^script adopt/]],
});
