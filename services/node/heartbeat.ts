import type { DriverStats } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type NodeReport, writeNode } from '../../lib/models/node.ts';
import { type ReportOutcome, repeatReport, report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeLease } from './lease.ts';

type Fields = Pick<Parameters<typeof report>[1], 'nodeFields' | 'backends'>;

/** Renews the lease, on a connection that it shares with nobody, and reports the node and its backends. */
export class Heartbeat {
  private readonly store: Store;
  private readonly lease: NodeLease;
  private readonly overdueMs: number;
  /** The last report, where it was written whole: the next one may be its repetition. */
  private whole: { text: string; time: string } | undefined;

  /** `overdueMs`: how long a task may be under way before a report returns it. */
  constructor(options: { store: Store; lease: NodeLease; overdueMs: number }) {
    this.store = options.store;
    this.lease = options.lease;
    this.overdueMs = options.overdueMs;
  }

  /** Returns the volumes whose task is overdue. Throws Fenced. */
  async beat(node: NodeReport, backends: readonly BackendReport[]): Promise<readonly string[]> {
    const fields: Fields = {
      nodeFields: writeNode(node),
      backends: backends.map((one) => [backendId(this.lease.node, one.name), writeBackend(one)]),
    };
    const outcome = (await this.repeat(fields)) ?? (await this.reportWhole(fields));
    if (outcome.word === 'Fenced') throw errors.fenced(this.lease.node);
    return outcome.overdue;
  }

  /** Every second report at most: a whole one puts right what somebody has changed. Undefined where a whole one is due. */
  private async repeat(fields: Fields): Promise<ReportOutcome | undefined> {
    const { store, lease, overdueMs, whole } = this;
    this.whole = undefined;
    if (whole?.text !== JSON.stringify(fields)) return undefined;
    const { leaseMs } = lease.options;
    const outcome = await repeatReport(store, { ...lease.token, leaseMs, overdueMs, lastTime: whole.time });
    return outcome.word === 'stale' ? undefined : outcome;
  }

  private async reportWhole(fields: Fields): Promise<ReportOutcome> {
    const { store, lease, overdueMs } = this;
    const outcome = await report(store, { ...lease.token, ...lease.options, overdueMs, ...fields });
    if (outcome.word === 'ok') this.whole = { text: JSON.stringify(fields), time: outcome.time };
    return outcome;
  }
}

/** Returns what a backend reports of itself. `problem`: why it takes no volumes, or what else is wrong. */
export function backendReport(
  backend: Pick<
    BackendReport,
    'name' | 'driver' | 'target' | 'pool' | 'capabilities' | 'shared' | 'endpoint' | 'availabilityZone'
  >,
  stats: DriverStats,
  { isReady, problem }: { isReady: boolean; problem: string | undefined },
): BackendReport {
  const { totalBytes, freeBytes, volumeBytes, acceptsCreates } = stats;
  return {
    ...backend,
    totalBytes,
    freeBytes,
    capacityBytes: freeBytes + volumeBytes,
    dataPercent: stats.usage?.dataPercent ?? null,
    metadataPercent: stats.usage?.metadataPercent ?? null,
    accepting: isReady && acceptsCreates && problem === undefined,
    problem: problem ?? stats.problem ?? '',
  };
}
