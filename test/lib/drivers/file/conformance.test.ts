import { open, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import type { VolumeDriver } from '../../../../lib/drivers/driver.ts';
import type { Kind } from '../conformance.ts';
import { CrashingProcesses, type CrashPoint } from '../crash-point.ts';
import { readBlock, writeBlock } from '../data.ts';
import { someCasesOf, testCases, totalBytes } from '../run-cases.ts';

function made(directory: string, crash?: CrashPoint): FileDriver {
  return new FileDriver({
    directory: path.join(directory, 'pool'),
    knownPools: path.join(directory, 'known-pools.json'),
    poolBytes: totalBytes,
    ...(crash ? { processes: new CrashingProcesses(crash) } : {}),
  });
}

function subject(directory: string, driver: VolumeDriver): Kind {
  const pool = path.join(directory, 'pool');
  return {
    driver,
    // Each delete looks through the processes of the host.
    ...(process.env['DRIVER_CASES'] === 'all' ? { many: 200 } : {}),
    write: writeBlock,
    read: readBlock,
    again: (crash) => made(directory, crash),
    names: async () => (await readdir(pool)).toSorted(),
    hold: async (volume) => {
      const file = await open(driver.localPath(volume));
      return () => file.close();
    },
    // As a mount point while its file system is not mounted.
    breakSetup: async () => {
      await rename(pool, `${pool}-away`);
      const repair = async () => {
        await rename(pool, `${pool}-empty`).catch(() => {}); // setup may have made it
        await rename(`${pool}-away`, pool);
      };
      return { code: 'StorageUnusable', name: pool, repair };
    },
  };
}

testCases('file', made, { cases: someCasesOf, subject });
