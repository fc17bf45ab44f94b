import { chosenCrashTests } from '../crash/tests.ts';

/** The same where exports are units of systemd: killed while it starts or stops one. */
await chosenCrashTests('lvm-systemd', {
  create: [['after', /^start systemctl restart/]],
  delete: [['after', /^start systemctl stop/]],
  detach: [['after', /^rename .*env/]],
});
