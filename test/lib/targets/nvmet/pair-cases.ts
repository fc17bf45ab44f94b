import { mkdir, mkdtemp } from 'node:fs/promises';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import type { VolumeDriver } from '../../../../lib/drivers/driver.ts';
import { LvmMachine, group } from '../../../lab/lvm-machine.ts';
import { casesOf } from '../conformance.ts';
import { Pair, roundTrip } from '../pair.ts';
import type { NvmetMachine } from './machine.ts';

/** The disk of a volume group: in memory, as far as it is written. */
const disk = '/dev/loop7';
const directory = '/run/pair';

const drivers: Record<string, () => Promise<VolumeDriver>> = {
  file: async () => new FileDriver({ directory: await mkdtemp(`${directory}/pool-`) }),
  thick: async () => lvmDriver('thick'),
  thin: async () => lvmDriver('thin'),
};

async function lvmDriver(lvmType: 'thick' | 'thin'): Promise<VolumeDriver> {
  const lvm = new LvmMachine(disk, disk);
  lvm.stateDir = await mkdtemp(`${directory}/state-`);
  await lvm.sh(`truncate -s 4G ${directory}/disk && losetup ${disk} ${directory}/disk`);
  return lvm.driver({ lvmType });
}

/** The conformance cases of the target, with volumes of each driver with a local path. */
export function pairCases(machine: NvmetMachine): { title: string; run: () => Promise<void> }[] {
  return Object.entries(drivers).flatMap(([name, make]) => {
    const onPair = (title: string, run: (pair: Pair) => Promise<void>) => ({
      title: `${name} and nvmet: ${title}`,
      run: async () => {
        await mkdir(directory);
        const driver = await make();
        try {
          await driver.setup();
          await run(new Pair(driver, machine));
        } finally {
          await machine.endExports();
          await driver.close();
          await machine.sh(`dmsetup remove_all --force; dmsetup mknodes; losetup --detach-all
            rm -rf /dev/${group} ${directory}`);
        }
      },
    });
    // A driver does not see that the kernel has a file open.
    const isHeld = name !== 'file';
    const conformance = casesOf({ authentication: 'none' }).map(({ title, run }) => onPair(title, run));
    return conformance.concat(
      onPair('a volume is exported, grown, exported anew and deleted, twice', (pair) => roundTrip(pair, { isHeld })),
    );
  });
}
