import { aoe } from './aoe/registration.ts';
import { iscsiTgt } from './iscsi-tgt/registration.ts';
import { lefthand } from './lefthand/registration.ts';
import { none } from './none/registration.ts';
import { solaris } from './solaris/registration.ts';

/** All targets. To add one, add a folder here and one line below; flags and checks are part of the registration. */
export const targets = [aoe, iscsiTgt, solaris, lefthand, none] as const;

/** Returns the target that a backend's flags select. */
export function targetOf(flags: { volume_target: (typeof targets)[number]['name']; fake_storage: boolean }) {
  const name = flags.fake_storage ? 'none' : flags.volume_target;
  const target = targets.find((one) => one.name === name);
  if (!target) throw new Error(`no target ${name}`);
  return target;
}
