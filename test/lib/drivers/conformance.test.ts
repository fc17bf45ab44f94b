import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { drivers } from '../../../lib/drivers/registry.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { LefthandDevice } from '../../support/fake-san/lefthand-device.ts';
import { DirectShell } from '../../support/fake-san/direct-shell.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { cases } from './conformance.ts';

type Factory = (directory: string) => VolumeDriver;

const sizeGiB = 2;
const totalBytes = 2.5 * 2 ** 30;

/** Every registered driver is here; those that need a kernel of their own run the cases on a lab machine. */
const factories: Record<(typeof drivers)[number]['name'] | 'faulty', Factory | 'test/lab/lvm-cases.ts'> = {
  lvm: 'test/lab/lvm-cases.ts',
  fake: () => new FakeDriver({ totalBytes }),
  file: (directory) => new FileDriver({ directory, poolBytes: totalBytes }),
  solaris: () =>
    new SolarisDriver(new DirectShell(new SolarisDevice('tank', totalBytes)), {
      base: 'tank/',
      thin: true,
      node: 'n1',
    }),
  lefthand: () =>
    new LefthandDriver(new DirectShell(new LefthandDevice({ totalBytes })), { cluster: 'c1', thin: true, node: 'n1' }),
  faulty: () => new FaultyDriver(new FakeDriver({ totalBytes })),
};

for (const [name, make] of Object.entries(factories)) {
  if (typeof make === 'string') continue;
  for (const { title, run } of cases) {
    test(`${name}: ${title}`, async (t) => {
      const directory = await mkdtemp(path.join(tmpdir(), 'drivers-'));
      t.teardown(() => rm(directory, { recursive: true }));
      const driver = make(directory);
      await driver.setup();
      await t.notThrowsAsync(run({ driver, sizeGiB }));
      await driver.close();
    });
  }
}
