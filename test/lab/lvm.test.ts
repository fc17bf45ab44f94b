import test from 'ava';
import { sample, sampleNumber } from '../support/sample.ts';
import { Lab } from './lab.ts';

// Variables in the environment change nothing; with HOSTILE=1 neither do settings in lvm.conf.
const isHostile = process.env['HOSTILE'] === '1';
const cases = process.env['LVM_CASES'];
const isWhole = isHostile || cases !== undefined;
const node = `${isHostile ? 'HOSTILE=1 ' : ''}node --import ./test/support/hostile-environment.ts`;
/** The gate runs some programs, and a fifth of the cases of each; the commit chooses them. */
const atOnce = 4;
const usual = 5;
const only = process.env['ONLY'] ?? '';

const programs = [
  ['the LVM driver on real LVM', 'lvm-cases.ts'],
  ['the LVM driver on disks that fail and differ', 'lvm-disk-cases.ts'],
  ['the LVM driver beside what administrators do', 'lvm-group-cases.ts'],
  ['the LVM driver with volumes that LVM mirrors', 'lvm-mirror-cases.ts'],
  ['the LVM driver with volumes that grow', 'lvm-extend-cases.ts'],
  ['the LVM driver with thick snapshots', 'lvm-snapshot-cases.ts'],
  ['the LVM driver with thin pools', 'lvm-thin-cases.ts'],
  ['the LVM driver with thin volumes beside others', 'lvm-thin-group-cases.ts'],
  // These are many.
  ['the LVM driver with the common cases of snapshots and clones, thick', 'lvm-common-cases.ts thick', 10],
  ['the LVM driver with the common cases of snapshots and clones, thin', 'lvm-common-cases.ts thin', 10],
  ['the LVM driver with snapshots of several volumes, thick', 'lvm-together-cases.ts thick'],
  ['the LVM driver with snapshots of several volumes, thin', 'lvm-together-cases.ts thin'],
  ['the LVM driver on hosts with other settings', 'lvm-host-cases.ts'],
] as const;
/** They take longer than the gate may, and are a part of `npm run test:all` by themselves. */
const long = [
  ['the LVM driver with interrupted calls and many volumes, thick', 'lvm-long-cases.ts thick'],
  ['the LVM driver with interrupted calls and many volumes, thin', 'lvm-long-cases.ts thin'],
] as const;
const whole = cases === 'long' ? long : programs;
const chosen = isWhole ? whole : sample('LVM programs', programs, atOnce, ([title]) => title);

for (const [title, program, parts = usual] of chosen) {
  test.serial(title, async (t) => {
    t.timeout(45 * 60_000);
    const part = isWhole ? '1/1' : `${sampleNumber('LVM cases', parts)}/${parts}`;
    const lab = await Lab.create({ diskGiB: 4 });
    t.teardown(() => lab.close());
    const otherDisk = await lab.node(1).addDisk(1);
    const { output, status } = await lab
      .node(1)
      .run(`PART=${part} ONLY='${only}' ${node} test/lab/${program} /dev/ubda ${otherDisk}`, {
        timeoutMs: program.includes('long') ? 2_400_000 : 900_000,
      });
    t.log(`part ${part}; all: npm run test:all -- --part lvm`);
    t.log(output);
    t.is(status, 0);
    t.notRegex(output, /^not ok/m);
    t.regex(output, /^ok /m);
  });
}
