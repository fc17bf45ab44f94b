import type { DaemonParts } from './parts.ts';
import type { RedisFigures } from './redis-figures.ts';

/** What is well and what is not, in fixed words: nothing of addresses, names or volumes. */
export interface Health {
  status: 'ready' | 'not ready';
  checks: {
    daemon: DaemonParts['phase'];
    redis: 'reachable' | 'unreachable';
    lease: 'held' | 'expired' | 'lost' | 'not acquired';
    records: 'compared with storage' | 'to be compared with storage';
    /** Such as `1 of 2 served`. */
    backends: string;
  };
  /** The checks that keep it from being ready. */
  failed: string[];
}

/** `leaseMs`: how long a lease lasts that is not renewed. */
export function healthOf(
  { phase, figures }: DaemonParts,
  redis: RedisFigures | undefined,
  { leaseMs }: { leaseMs: number },
): Health {
  const served = figures?.served.size ?? 0;
  const checks: Health['checks'] = {
    daemon: phase,
    redis: redis ? 'reachable' : 'unreachable',
    lease: figures ? leaseState(figures, leaseMs) : 'not acquired',
    records: figures && !figures.isCatchingUp ? 'compared with storage' : 'to be compared with storage',
    backends: `${served} of ${figures?.backends.length ?? 0} served`,
  };
  const failed = [
    ...(phase === 'running' ? [] : ['daemon']),
    ...(redis ? [] : ['redis']),
    ...(checks.lease === 'held' ? [] : ['lease']),
    // Records that are to be compared keep volumes from being placed here, and nobody from being answered.
    ...(served > 0 ? [] : ['backends']),
  ];
  return { status: failed.length === 0 ? 'ready' : 'not ready', checks, failed };
}

function leaseState({ leaseAgeMs }: NonNullable<DaemonParts['figures']>, leaseMs: number): 'held' | 'expired' | 'lost' {
  if (leaseAgeMs === undefined) return 'lost';
  return leaseAgeMs < leaseMs ? 'held' : 'expired';
}
