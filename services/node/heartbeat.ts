import type { DriverStats } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type NodeReport, writeNode } from '../../lib/models/node.ts';
import { report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeLease } from './lease.ts';

type Fields = Readonly<Record<string, string>>;

interface Sent {
  node: Fields;
  backends: ReadonlyMap<string, Fields>;
}

const nothing: Sent = { node: {}, backends: new Map() };

/** Renews the lease, on a connection that it shares with nobody, and writes what changed since the last report. */
export class Heartbeat {
  private readonly store: Store;
  private readonly lease: NodeLease;
  private readonly overdueMs: number;
  private sent: Sent = nothing;
  /** Connections since the start: a new one can lead to a Redis that lacks what earlier reports wrote. */
  private connections = 0;

  /** `overdueMs`: how long a task may be under way before a report returns it. */
  constructor(options: { store: Store; lease: NodeLease; overdueMs: number }) {
    this.store = options.store;
    this.lease = options.lease;
    this.overdueMs = options.overdueMs;
    this.store.redis.on('ready', () => {
      this.connections += 1;
      this.sent = nothing;
    });
  }

  /** Returns the volumes whose task is overdue. Throws Fenced. */
  async beat(node: NodeReport, backends: readonly BackendReport[]): Promise<readonly string[]> {
    const { lease, connections } = this;
    const nodeFields = writeNode(node);
    const backendFields = new Map(backends.map((one) => [backendId(lease.node, one.name), writeBackend(one)]));
    const outcome = await report(this.store, {
      ...lease.token,
      ...lease.options,
      overdueMs: this.overdueMs,
      isWhole: this.sent === nothing,
      nodeFields: changed(nodeFields, this.sent.node),
      backends: Array.from(backendFields, ([id, fields]) => [id, changed(fields, this.sent.backends.get(id) ?? {})]),
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    // Where Redis lacks what was sent, or may lack it, the next report sends all.
    const isKept = outcome.isComplete && connections === this.connections;
    this.sent = isKept ? { node: nodeFields, backends: backendFields } : nothing;
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
