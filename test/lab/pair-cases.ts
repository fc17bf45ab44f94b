import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { FileDriver } from '../../lib/drivers/file/driver.ts';
import type { VolumeDriver } from '../../lib/drivers/driver.ts';
import { casesOf } from '../lib/targets/conformance.ts';
import { AoeExports } from '../lib/targets/aoe/exports.ts';
import { Place as AoePlace } from '../lib/targets/aoe/place.ts';
import { Place as TgtPlace } from '../lib/targets/iscsi-tgt/place.ts';
import { qemuLogin } from '../lib/targets/iscsi-tgt/qemu-session.ts';
import { type ExportPlace, Pair, roundTrip } from '../lib/targets/pair.ts';
import { LioMachine } from './lio-machine.ts';
import { type LvmCase, LvmMachine, runCases } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/pair-cases.ts file|thick|thin <target> <disk of 4 GiB for LVM> <directory on a file system>. The
// conformance cases of the target, with volumes of that driver.

const [driverName = '', name = '', disk = '', directory = ''] = process.argv.slice(2);
const machine = new LvmMachine(disk, disk);

type Removable = ExportPlace & { remove: () => Promise<void> };

const targets: Record<string, { authentication: 'chap' | 'none'; place: () => Promise<Removable> }> = {
  aoe: { authentication: 'none', place: async () => new AoeExports(await AoePlace.create()) },
  'iscsi-tgt': { authentication: 'chap', place: () => TgtPlace.create(qemuLogin) },
  'iscsi-lio': {
    authentication: 'chap',
    place: async () => {
      const place = await LioMachine.create();
      return Object.assign(place, { remove: () => place.removeExports() });
    },
  },
};

const drivers: Record<string, () => Promise<VolumeDriver>> = {
  file: async () => new FileDriver({ directory: await mkdtemp(path.join(directory, 'pool-')) }),
  thick: async () => machine.driver(),
  thin: async () => machine.driver({ lvmType: 'thin' }),
};

const target = targets[name];
const make = drivers[driverName];
if (!target || !make) throw new Error(`no pair ${driverName} and ${name}`);
/** A driver does not see that the kernel has a file open. */
const isHeld = driverName !== 'file' || name !== 'iscsi-lio';

function onPair(title: string, run: (pair: Pair) => Promise<void>): LvmCase {
  return {
    title: `${driverName} and ${name}: ${title}`,
    run: async () => {
      const driver = await make?.();
      const place = await target?.place();
      if (!driver || !place) return;
      try {
        await driver.setup();
        await run(new Pair(driver, place));
      } finally {
        await place.remove();
        await driver.close();
      }
    },
  };
}

await runCases(machine, [
  onPair('a volume is exported, grown, exported anew and deleted, twice', (pair) => roundTrip(pair, { isHeld })),
  ...casesOf(target).map(({ title, run }) => onPair(title, run)),
]);
