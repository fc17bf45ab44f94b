import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { drivers } from '../../../lib/drivers/registry.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { DirectShell } from '../../support/fake-san/direct-shell.ts';
import { lefthandKind, solarisKind } from '../../support/fake-san/kinds.ts';
import { LefthandDevice } from '../../support/fake-san/lefthand-device.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import type { Kind } from './conformance.ts';
import { testCases, totalBytes } from './run-cases.ts';

interface Factory {
  make: () => VolumeDriver;
  subject?: (driver: VolumeDriver) => Kind;
}

const solaris = { base: 'tank/', thin: true, node: 'n1' };
const lefthand = { cluster: 'c1', thin: true, node: 'n1' };

/** A driver on a stand-in of its own. */
function onDevice<Device>(
  newDevice: () => Device,
  make: (device: Device) => VolumeDriver,
  kind: (driver: VolumeDriver, device: Device) => Kind,
): Factory {
  const devices = new Map<VolumeDriver, Device>();
  return {
    make: () => {
      const device = newDevice();
      const driver = make(device);
      devices.set(driver, device);
      return driver;
    },
    subject: (driver) => kind(driver, devices.get(driver) ?? newDevice()),
  };
}

/** Every registered driver is here; what needs a kernel of its own, or starts many processes, runs the cases elsewhere. */
const factories: Record<(typeof drivers)[number]['name'] | 'faulty', Factory | `test/${string}.ts`> = {
  lvm: 'test/lab/lvm-cases.ts',
  sheepdog: 'test/lib/drivers/sheepdog/conformance.test.ts',
  rbd: 'test/lib/drivers/rbd/conformance.test.ts',
  fake: { make: () => new FakeDriver({ totalBytes }), subject: (driver) => ({ driver, many: 200 }) },
  file: 'test/lib/drivers/file/conformance.test.ts',
  solaris: onDevice(
    () => new SolarisDevice('tank', totalBytes),
    (device) => new SolarisDriver(new DirectShell(device), solaris),
    (driver, device) => solarisKind(driver, device, solaris),
  ),
  lefthand: onDevice(
    () => new LefthandDevice({ totalBytes }),
    (device) => new LefthandDriver(new DirectShell(device), lefthand),
    (driver, device) => lefthandKind(driver, device, lefthand),
  ),
  faulty: { make: () => new FaultyDriver(new FakeDriver({ totalBytes })) },
};

for (const [name, factory] of Object.entries(factories)) {
  if (typeof factory === 'string') continue;
  const { make, subject = (driver) => ({ driver }) } = factory;
  testCases(name, make, { subject: (_directory, driver) => subject(driver) });
}
