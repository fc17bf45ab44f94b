import { aoe } from './aoe/registration.ts';
import { iscsiTgt } from './iscsi-tgt/registration.ts';
import { iscsiLio } from './iscsi-lio/registration.ts';
import { lefthand } from './lefthand/registration.ts';
import { nvmet } from './nvmet/registration.ts';
import { none } from './none/registration.ts';
import { rbd } from './rbd/registration.ts';
import { sheepdog } from './sheepdog/registration.ts';
import { solaris } from './solaris/registration.ts';
import type { Protocol } from './target.ts';

/** All targets. To add one, add a folder here and one line below; flags and checks are part of the registration. */
export const targets = [aoe, iscsiTgt, iscsiLio, nvmet, solaris, lefthand, rbd, sheepdog, none] as const;

/** Returns by what hosts reach the exports of a target, by its name in a backend's report; `none` for one that this version does not know. */
export function protocolOf(name: string | undefined): Protocol {
  return targets.find((one) => one.name === name)?.protocol ?? 'none';
}

/** Whether attached volumes can move between backends with that target, by its name in their reports: see TargetRegistration. */
export function movesAddress(name: string | undefined): boolean {
  const one: { movesAddress?: true } | undefined = targets.find((target) => target.name === name);
  return one?.movesAddress ?? false;
}

/** Returns the target that a backend's flags select. */
export function targetOf(flags: { volume_target: (typeof targets)[number]['name']; fake_storage: boolean }) {
  const name = flags.fake_storage ? 'none' : flags.volume_target;
  const target = targets.find((one) => one.name === name);
  if (!target) throw new Error(`no target ${name}`);
  return target;
}
