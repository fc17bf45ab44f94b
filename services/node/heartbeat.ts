import type { DriverStats } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type NodeReport, writeNode } from '../../lib/models/node.ts';
import { report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeLease } from './lease.ts';

/** Renews the lease, on a connection that it shares with nobody, and reports the node and its backends. */
export class Heartbeat {
  private readonly store: Store;
  private readonly lease: NodeLease;
  private readonly overdueMs: number;

  /** `overdueMs`: how long a task may be under way before a report returns it. */
  constructor(options: { store: Store; lease: NodeLease; overdueMs: number }) {
    this.store = options.store;
    this.lease = options.lease;
    this.overdueMs = options.overdueMs;
  }

  /** Returns the volumes whose task is overdue. Throws Fenced. */
  async beat(node: NodeReport, backends: readonly BackendReport[]): Promise<readonly string[]> {
    const { lease, overdueMs } = this;
    const outcome = await report(this.store, {
      ...lease.token,
      ...lease.options,
      overdueMs,
      nodeFields: writeNode(node),
      backends: backends.map((one) => [backendId(lease.node, one.name), writeBackend(one)]),
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    return outcome.overdue;
  }
}

/** Returns what a backend reports of itself. `problem`: why it takes no volumes, or what else is wrong. */
export function backendReport(
  backend: Pick<BackendReport, 'name' | 'driver' | 'target' | 'pool' | 'endpoint' | 'availabilityZone'>,
  stats: DriverStats,
  { isReady, problem }: { isReady: boolean; problem: string | undefined },
): BackendReport {
  const { totalBytes, freeBytes, volumeBytes, acceptsCreates } = stats;
  return {
    ...backend,
    totalBytes,
    freeBytes,
    capacityBytes: freeBytes + volumeBytes,
    accepting: isReady && acceptsCreates && problem === undefined,
    problem: problem ?? stats.problem ?? '',
  };
}
