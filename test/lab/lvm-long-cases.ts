import { casesOf } from '../lib/drivers/conformance.ts';
import { lvmKind, lvmTypeOf } from './lvm-kind.ts';
import { LvmMachine, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-long-cases.ts thick|thin <disk of 4 GiB> <another>. The conformance cases that run hundreds of
// commands: calls that are interrupted at any of their commands, and 200 volumes and snapshots at once.

const [type, disk = '', otherDisk = ''] = process.argv.slice(2);
const lvmType = lvmTypeOf(type);
const machine = new LvmMachine(disk, otherDisk);

await runCases(
  machine,
  casesOf(lvmKind(machine, machine.driver({ lvmType }), lvmType))
    .filter(({ isLong, isAboutMany }) => isLong || isAboutMany)
    .map(({ title, run }) => ({
      title: `${lvmType}: ${title}`,
      run: async () => {
        const driver = machine.driver({ lvmType, volumeClear: 'none' });
        await driver.setup();
        const began = performance.now();
        await run({ ...lvmKind(machine, driver, lvmType), sizeGiB: 2, many: 200 });
        process.stdout.write(`# ${Math.round((performance.now() - began) / 1000)} s\n`);
      },
    })),
);
