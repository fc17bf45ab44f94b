import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { drivers } from '../../../lib/drivers/registry.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { DirectShell } from '../../support/fake-san/direct-shell.ts';
import { LefthandDevice } from '../../support/fake-san/lefthand-device.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import { testCases, totalBytes } from './run-cases.ts';

/** Every registered driver is here; what needs a kernel of its own, or starts many processes, runs the cases elsewhere. */
const factories: Record<(typeof drivers)[number]['name'] | 'faulty', (() => VolumeDriver) | `test/${string}.ts`> = {
  lvm: 'test/lab/lvm-cases.ts',
  sheepdog: 'test/lib/drivers/sheepdog/conformance.test.ts',
  rbd: 'test/lib/drivers/rbd/conformance.test.ts',
  fake: () => new FakeDriver({ totalBytes }),
  file: 'test/lib/drivers/file/conformance.test.ts',
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

for (const [name, make] of Object.entries(factories)) if (typeof make !== 'string') testCases(name, make);
