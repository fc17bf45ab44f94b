import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { cases } from './conformance.ts';

const roomGiB = 2;
const totalBytes = 2.5 * 2 ** 30;

const drivers: Record<string, (directory: string) => VolumeDriver> = {
  fake: () => new FakeDriver({ totalBytes }),
  file: (directory) => new FileDriver({ directory, poolBytes: totalBytes }),
  'faulty without faults': () => new FaultyDriver(new FakeDriver({ totalBytes })),
};

for (const [name, make] of Object.entries(drivers)) {
  for (const { title, run } of cases) {
    test(`${name}: ${title}`, async (t) => {
      const directory = await mkdtemp(path.join(tmpdir(), 'drivers-'));
      t.teardown(() => rm(directory, { recursive: true }));
      const driver = make(directory);
      await driver.setup();
      await t.notThrowsAsync(run({ driver, roomGiB }));
      await driver.close();
    });
  }
}
