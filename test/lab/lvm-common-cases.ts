import { casesOf } from '../lib/drivers/conformance.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import { LvmMachine, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-common-cases.ts <disk of 4 GiB> <another>. The conformance cases with snapshots, clones
// and extension, on thick and on thin volumes, each in a group of its own. Their copies take minutes on a lab machine.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');
const sizeGiB = 2;

const common = (['thick', 'thin'] as const).flatMap((lvmType) =>
  casesOf(machine.driver({ lvmType })).map(({ title, needs, run }): LvmCase & { isLong: boolean } => ({
    title: `${lvmType}: ${title}`,
    // The others run on thick volumes in lvm-cases.ts.
    isLong: lvmType === 'thin' || needs !== undefined,
    run: async () => {
      const driver = machine.driver({ lvmType });
      await driver.setup();
      await run({ driver, sizeGiB, write: writeBlock, read: readBlock });
    },
  })),
);
const list = common.filter(({ isLong }) => isLong);

await runCases(machine, list);
