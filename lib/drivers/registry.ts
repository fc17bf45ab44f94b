import { fake } from './fake/registration.ts';
import { file } from './file/registration.ts';
import { lefthand } from './lefthand/registration.ts';
import { lvm } from './lvm/registration.ts';
import { rbd } from './rbd/registration.ts';
import { sheepdog } from './sheepdog/registration.ts';
import { solaris } from './solaris/registration.ts';

/** All drivers. To add one, add a folder here and one line below; flags and checks are part of the registration. */
export const drivers = [lvm, file, rbd, sheepdog, solaris, lefthand, fake] as const;

/** Returns the driver that a backend's flags select. */
export function driverOf(flags: { volume_driver: (typeof drivers)[number]['name']; fake_storage: boolean }) {
  const name = flags.fake_storage ? 'fake' : flags.volume_driver;
  const driver = drivers.find((one) => one.name === name);
  if (!driver) throw new Error(`no driver ${name}`);
  return driver;
}
