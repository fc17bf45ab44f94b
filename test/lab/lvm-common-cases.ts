import { casesOf } from '../lib/drivers/conformance.ts';
import { lvmKind, lvmTypeOf } from './lvm-kind.ts';
import { LvmMachine, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-common-cases.ts thick|thin <disk of 4 GiB> <another>. The conformance cases with snapshots,
// clones and extension, and those about the storage, each in a group of its own. Their copies of thick volumes take minutes there.

const [type, disk = '', otherDisk = ''] = process.argv.slice(2);
const lvmType = lvmTypeOf(type);
const machine = new LvmMachine(disk, otherDisk);
const sizeGiB = 2;

await runCases(
  machine,
  casesOf(lvmKind(machine, machine.driver({ lvmType }), lvmType))
    // The others run on thick volumes in lvm-cases.ts; the long ones in lvm-long-cases.ts.
    .filter(({ needs, uses, isLong }) => !isLong && (lvmType === 'thin' || needs !== undefined || uses !== undefined))
    .map(({ title, run }) => ({
      title: `${lvmType}: ${title}`,
      run: async () => {
        const driver = machine.driver({ lvmType });
        await driver.setup();
        await run({ ...lvmKind(machine, driver, lvmType), sizeGiB });
      },
    })),
);
