import type { DriverStats } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type NodeReport, writeNode } from '../../lib/models/node.ts';
import { report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeLease } from './lease.ts';

type Fields = Readonly<Record<string, string>>;

/** Renews the lease, on a connection that it shares with nobody, and writes what changed since the last report. */
export class Heartbeat {
  private readonly store: Store;
  private readonly lease: NodeLease;
  private readonly overdueMs: number;
  private sent: { node: Fields; backends: ReadonlyMap<string, Fields> } = { node: {}, backends: new Map() };

  /** `overdueMs`: how long a task may be under way before a report returns it. */
  constructor(options: { store: Store; lease: NodeLease; overdueMs: number }) {
    this.store = options.store;
    this.lease = options.lease;
    this.overdueMs = options.overdueMs;
  }

  /** Returns the volumes whose task is overdue. Throws Fenced. */
  async beat(node: NodeReport, backends: readonly BackendReport[]): Promise<readonly string[]> {
    const { lease } = this;
    const nodeFields = writeNode(node);
    const backendFields = new Map(backends.map((one) => [backendId(lease.node, one.name), writeBackend(one)]));
    const outcome = await report(this.store, {
      ...lease.token,
      ...lease.options,
      overdueMs: this.overdueMs,
      nodeFields: changed(nodeFields, this.sent.node),
      backends: Array.from(backendFields, ([id, fields]) => [id, changed(fields, this.sent.backends.get(id) ?? {})]),
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    // Where Redis lacks what was sent, the next report sends all.
    this.sent = outcome.isComplete ? { node: nodeFields, backends: backendFields } : { node: {}, backends: new Map() };
    return outcome.overdue;
  }
}

function changed(fields: Fields, before: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => before[name] !== value));
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
