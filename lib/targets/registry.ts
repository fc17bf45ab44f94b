import { aoe } from './aoe/registration.ts';
import { none } from './none/registration.ts';

/** Every target. A new one is a folder beside these and a name here; its flags and checks come with it. */
export const targets = [aoe, none] as const;

/** Returns the target that a backend's flags select. */
export function targetOf(flags: { volume_target: (typeof targets)[number]['name']; fake_storage: boolean }) {
  const name = flags.fake_storage ? 'none' : flags.volume_target;
  const target = targets.find((one) => one.name === name);
  if (!target) throw new Error(`no target ${name}`);
  return target;
}
