import type { Point } from './plan.ts';

/** A child that only reads. */
const reading =
  /(^| )(pvs|vgs|lvs|lvmconfig|tags|discover\.pl|vblade -r|tgtadm --op=show|dog (\w+ info|vdi list|vdi getattr))( [<>] .*)?$/;
/** Events from a child have no "after". */
const arrival = /^end of | > answer to /;

/**
 * Of these points, one for each state in which a daemon can leave the world. Just before an effect the world is as it was just after
 * the one before, and as it was when the last answer came; what only looks changes nothing, whether it has begun or has ended.
 */
export function oneForEachState(points: readonly Point[]): Point[] {
  return points.filter(
    ({ moment, name }, index) => index === 0 || ((moment === 'after' || arrival.test(name)) && !reading.test(name)),
  );
}
