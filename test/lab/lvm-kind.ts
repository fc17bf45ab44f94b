import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import type { LvmDriver, LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import type { Kind } from '../lib/drivers/conformance.ts';
import { CrashingProcesses } from '../lib/drivers/crash-point.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import { type LvmMachine, group } from './lvm-machine.ts';

type LvmType = LvmOptions['lvmType'];

export function lvmTypeOf(text: string | undefined): LvmType {
  assert.ok(text === 'thick' || text === 'thin', text);
  return text;
}

/** What the conformance cases can do with the driver on a lab machine. */
export function lvmKind(machine: LvmMachine, driver: LvmDriver, lvmType: LvmType): Kind {
  // Nothing of an interrupted call is worth the time of a wipe; a command that is tried again would hide that one failed.
  const interrupted: Partial<LvmOptions> = { lvmType, volumeClear: 'none', numShellTries: 1 };
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
      return { code: 'NoVolumeGroup', name: group, repair };
    },
    ...(lvmType === 'thin' ? { takenBytes: () => takenOfPool(machine) } : {}),
  };
}

async function takenOfPool(machine: LvmMachine): Promise<number> {
  const options = '--noheadings --units b --nosuffix --separator / -o lv_size,data_percent';
  const [size = '', percent = ''] = (await machine.sh(`lvm lvs ${options} -S lv_attr=~^t ${group}`)).trim().split('/');
  return (Number(size) * Number(percent)) / 100;
}
