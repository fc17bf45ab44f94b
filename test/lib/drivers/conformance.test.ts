import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { drivers } from '../../../lib/drivers/registry.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { testCases, totalBytes } from './run-cases.ts';

/** Every registered driver is here; what needs a kernel of its own, or starts many processes, runs the cases elsewhere. */
const factories: Record<(typeof drivers)[number]['name'] | 'faulty', (() => VolumeDriver) | `test/${string}.ts`> = {
  lvm: 'test/lab/lvm-cases.ts',
  sheepdog: 'test/lib/drivers/sheepdog/conformance.test.ts',
  rbd: 'test/lib/drivers/rbd/conformance.test.ts',
  fake: () => new FakeDriver({ totalBytes }),
  file: 'test/lib/drivers/file/conformance.test.ts',
  faulty: () => new FaultyDriver(new FakeDriver({ totalBytes })),
};

for (const [name, make] of Object.entries(factories)) if (typeof make !== 'string') testCases(name, make);
