import { fake } from './fake/registration.ts';
import { file } from './file/registration.ts';
import { lvm } from './lvm/registration.ts';

/** Every driver. A new one is a folder beside these and a name here; its flags and checks come with it. */
export const drivers = [lvm, file, fake] as const;

/** Returns the driver that a backend's flags select. */
export function driverOf(flags: { volume_driver: (typeof drivers)[number]['name']; fake_storage: boolean }) {
  const name = flags.fake_storage ? 'fake' : flags.volume_driver;
  const driver = drivers.find((one) => one.name === name);
  if (!driver) throw new Error(`no driver ${name}`);
  return driver;
}
