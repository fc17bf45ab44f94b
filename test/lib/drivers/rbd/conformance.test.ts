import type { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import { z } from 'zod';
import { until } from '../../../support/until.ts';
import type { Kind } from '../conformance.ts';
import { CrashingProcesses } from '../crash-point.ts';
import { someCasesOf } from '../run-cases.ts';
import { canRead, discardBlocks, openVolume, readBlock, writeBlock } from './data.ts';
import { ceph, driverOn, newPool, real, startCeph } from './pools.ts';

startCeph();

const objectBytes = 4 * 2 ** 20;
const options = { watcherMs: 1000 };

function subject(driver: RbdDriver): Kind {
  const { pool } = driver;
  const rbd = (...args: string[]) => ceph().run('rbd', ['--pool', pool, ...args]);
  return {
    driver,
    again: (crash) => driverOn({ pool, ...options }, crash && new CrashingProcesses(crash)),
    names: async () => {
      const listed = z.array(z.object({ image: z.string(), snapshot: z.string().optional() }));
      const images = listed.parse(JSON.parse(await rbd('ls', '-l', '--format', 'json')));
      return images.map(({ image, snapshot }) => (snapshot === undefined ? image : `${image}@${snapshot}`)).toSorted();
    },
    breakSetup: async () => {
      const rename = (from: string, to: string) => ceph().run('ceph', ['osd', 'pool', 'rename', from, to]);
      await rename(pool, `${pool}-away`);
      return { code: 'NoCephPool', name: pool, repair: async () => void (await rename(`${pool}-away`, pool)) };
    },
    ...(canRead ? data(driver) : {}),
  };
}

/** With qemu-io. */
function data(driver: RbdDriver): Pick<Kind, 'write' | 'read' | 'discard' | 'takenBytes' | 'hold'> {
  const { pool } = driver;
  return {
    write: writeBlock,
    read: readBlock,
    discard: discardBlocks,
    takenBytes: async () => {
      const objects = await ceph().run('rados', ['--pool', pool, 'ls']);
      return objectBytes * objects.split('\n').filter((name) => name.startsWith('rbd_data.')).length;
    },
    hold: async (volume) => {
      const client = openVolume(driver, volume);
      const status = () => ceph().run('rbd', ['--pool', pool, 'status', `volume-${volume.id}`]);
      await until(async () => /watcher=/.test(await status()), 'the client has the volume open');
      return client.close;
    },
  };
}

for (const { title, run } of someCasesOf(subject(driverOn({ conf: '' })))) {
  real(`on a real Ceph: ${title}`, async (t) => {
    t.timeout(15 * 60_000);
    const driver = await newPool(options);
    await t.notThrowsAsync(run({ ...subject(driver), sizeGiB: 2 }));
    await driver.close();
  });
}
