import assert from 'node:assert/strict';
import { casesOf } from '../lib/drivers/conformance.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import { LvmMachine, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-common-cases.ts thick|thin <disk of 4 GiB> <another>. The conformance cases with snapshots,
// clones and extension, each in a group of its own. Their copies of thick volumes take minutes on a lab machine.

const [kind, disk = '', otherDisk = ''] = process.argv.slice(2);
assert.ok(kind === 'thick' || kind === 'thin', kind);
const machine = new LvmMachine(disk, otherDisk);
const sizeGiB = 2;

await runCases(
  machine,
  casesOf(machine.driver())
    // The others run on thick volumes in lvm-cases.ts.
    .filter(({ needs }) => kind === 'thin' || needs !== undefined)
    .map(({ title, run }) => ({
      title: `${kind}: ${title}`,
      run: async () => {
        const driver = machine.driver({ lvmType: kind });
        await driver.setup();
        await run({ driver, sizeGiB, write: writeBlock, read: readBlock });
      },
    })),
);
