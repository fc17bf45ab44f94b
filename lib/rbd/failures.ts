import type { CommandFailure } from '../command-error.ts';
import { type BlockstoreError, errors } from '../errors.ts';

/** Failures that concern one image or snapshot. `dependants`: it has snapshots, or copies depend on one of them. */
export type ImageFailure = 'absent' | 'busy' | 'exists' | 'invalid' | 'noSpace' | 'dependants';

/** The exit code of rbd is an errno of Linux. */
const byErrno: ReadonlyMap<number, ImageFailure> = new Map([
  [2, 'absent'],
  [16, 'busy'],
  [17, 'exists'],
  [22, 'invalid'],
  [28, 'noSpace'],
  [39, 'dependants'],
  [122, 'noSpace'],
]);
const [eperm, eacces, etimedout] = [1, 13, 110];

/** What commands are run with. */
export interface Cluster {
  pool: string;
  user: string;
  conf: string;
}

/** Returns the error for a failure that concerns the cluster, the pool or the user; undefined for any other. */
export function clusterError(
  { exitCode, timedOut, stderr }: CommandFailure,
  { pool, user, conf }: Cluster,
  monitors: string,
): BlockstoreError | undefined {
  const reason = reasonIn(stderr);
  if (timedOut) return errors.cephUnreachable(pool, monitors, 'the command exceeded its time limit');
  // A line of its own with exit code 1, which is EPERM otherwise.
  if (/^global_init: /m.test(stderr)) return errors.cephConfiguration(conf, reason.replace(/^global_init: /, ''));
  const isSilent = exitCode === etimedout || /^timed out$|\(110\) Connection timed out/m.test(stderr);
  if (isSilent) return errors.cephUnreachable(pool, monitors, reason);
  if (/no keyring found at/.test(stderr)) {
    const file = /no keyring found at (.*), disabling cephx/.exec(stderr)?.[1] ?? '';
    return errors.cephDenied(pool, user, `no keyring is found at ${file}`);
  }
  if (/error opening pool/.test(stderr) && exitCode === 2) return errors.noCephPool(pool);
  const isPermission = /Operation not permitted|Permission denied/.test(stderr);
  // rados says so alone where it cannot connect, and exits with 1.
  const isWithoutMonitor = /failed to fetch mon config/.test(stderr);
  const isUnknownUser = isWithoutMonitor && /handle_auth_bad_method/.test(stderr);
  if (isUnknownUser || (exitCode === eacces && /couldn't connect/.test(stderr))) {
    return errors.cephDenied(pool, user, 'the cluster does not know this user, or its key is another one');
  }
  if (isWithoutMonitor) return errors.cephUnreachable(pool, monitors, 'no monitor answers');
  if (exitCode === eacces || (exitCode === eperm && isPermission)) return errors.cephDenied(pool, user, reason);
  if (/couldn't connect to the cluster|error connecting to the cluster/.test(stderr)) {
    return errors.cephUnreachable(pool, monitors, reason);
  }
  return undefined;
}

/** Returns undefined for an exit code without a meaning for images. */
export function imageFailure({ exitCode }: CommandFailure): ImageFailure | undefined {
  return byErrno.get(exitCode ?? 0);
}

/** Returns the last line without the time, thread and level that Ceph's libraries print before theirs. */
export function reasonIn(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.replace(/^\d{4}-\d\d-\d\dT\S+ [0-9a-f]+ +-?\d+ /, '').trim())
    .filter((line) => line !== '');
  return (lines.findLast((line) => /^(rbd|global_init): /.test(line)) ?? lines.at(-1) ?? 'without a reason').replace(
    /^rbd: /,
    '',
  );
}
