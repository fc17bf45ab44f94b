import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { type Kind, casesOf } from '../lib/drivers/conformance.ts';
import { CrashingProcesses } from '../lib/drivers/crash-point.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import type { LvmDriver, LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import { LvmMachine, group, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-common-cases.ts thick|thin <disk of 4 GiB> <another>. The conformance cases with snapshots,
// clones and extension, and those about the storage, each in a group of its own. Their copies of thick volumes take minutes there.

const [type, disk = '', otherDisk = ''] = process.argv.slice(2);
assert.ok(type === 'thick' || type === 'thin', type);
const machine = new LvmMachine(disk, otherDisk);
const sizeGiB = 2;
// Nothing of an interrupted call is worth the time of a wipe; a retried command would hide that one failed.
const interrupted: Partial<LvmOptions> = { lvmType: type, volumeClear: 'none', numShellTries: 1 };

function kindOf(driver: LvmDriver): Kind {
  return {
    driver,
    write: writeBlock,
    read: readBlock,
    again: (crash) => machine.driver(interrupted, crash && new CrashingProcesses(crash)),
    names: () => machine.logicalVolumeNames(),
    hold: async (volume) => {
      const file = await open(driver.localPath(volume), 'r+');
      return () => file.close();
    },
    breakSetup: async () => {
      await machine.sh(`lvm vgchange -qan ${group} && lvm vgrename -q ${group} away`);
      const repair = async () => void (await machine.sh(`lvm vgrename -q away ${group} && lvm vgchange -qay ${group}`));
      return { code: 'StorageUnusable', name: group, repair };
    },
    ...(type === 'thin' ? { takenBytes: () => takenOfPool() } : {}),
  };
}

/** Of its pool. */
async function takenOfPool(): Promise<number> {
  const options = '--noheadings --units b --nosuffix --separator / -o lv_size,data_percent';
  const [size = '', percent = ''] = (await machine.sh(`lvm lvs ${options} -S lv_attr=~^t ${group}`)).trim().split('/');
  return (Number(size) * Number(percent)) / 100;
}

await runCases(
  machine,
  casesOf(kindOf(machine.driver()))
    // The others run on thick volumes in lvm-cases.ts.
    .filter(({ needs, uses }) => type === 'thin' || needs !== undefined || uses !== undefined)
    .map(({ title, run }) => ({
      title: `${type}: ${title}`,
      run: async () => {
        const driver = machine.driver({ lvmType: type });
        await driver.setup();
        await run({ ...kindOf(driver), sizeGiB });
      },
    })),
);
