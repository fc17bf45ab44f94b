import { setTimeout as pause } from 'node:timers/promises';
import type { Finding } from '../../lib/audit/finding.ts';
import { Semaphore } from '../../lib/concurrency.ts';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { persistenceProblems } from '../../lib/redis/persistence.ts';
import { beginCatchUp } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Addresses } from './addresses.ts';
import type { Audit } from './audit.ts';
import type { NodeLease } from './lease.ts';

export interface CatchUpOptions {
  store: Store;
  lease: Pick<NodeLease, 'node' | 'reacquire'>;
  audit: Pick<Audit, 'run'>;
  addresses: Pick<Addresses, 'refill'>;
  /**
   * Takes back the volumes that were deleted while the node was lost, and what migrations have left: an older state of Redis may have them
   * again.
   */
  restoreAbandoned: () => Promise<void>;
  log: Log;
  /** Another daemon has the node's name, or had it since: this one must end. */
  onFenced: (error: BlockstoreError) => void;
  /** Whether an operation runs on a volume or waits. */
  isBusy: (id: string) => boolean;
  /** Nodes of the cluster that compare records and storage at a time, and the longest pause before one begins. */
  places: number;
  jitterMs: number;
}

/** What is logged; the benchmark of a failover counts these lines. */
export const logLines = {
  caughtUp: 'compared records and storage after a loss of Redis',
  leaseLost: 'Redis lost the lease of node',
} as const;

/** Pauses before a repair that failed is tried again: from each report to once in ten minutes. */
const firstRetryMs = 1000;
const longestRetryMs = 600_000;

/** Differences that are logged one by one. */
const maxLines = 10;

/** How long a place is kept for a node that does not end its comparison. */
const placeMs = 60_000;

/** Continues where Redis has lost something: after a failover, a restart from an older copy, or when it was emptied. */
export class CatchUp {
  private readonly options: CatchUpOptions;
  /** The data with which records and storage were last compared; see Connection.identity. */
  private comparedWith: string | undefined;
  /** The data that a pause before the comparison was made for. */
  private pausedFor: string | undefined;
  /** Volumes that something was under way for whenever they were to be examined since then, or whose task was resumed. */
  private unseen: readonly string[] = [];
  /** Whether Redis may have lost changes since records and storage were last found to agree. */
  private isAfterLoss = false;
  /** When a repair that failed is tried again, by the monotonic clock, and the pause after that one. */
  private retry: { at: number; pauseMs: number } | undefined;
  private readonly reported = new Set<string>();
  private regaining: Promise<void> | undefined;
  /** One comparison at a time: a lost lease asks for one beside that of the report. Each notes what the next one has to examine. */
  private readonly one = new Semaphore(1);
  private readonly stopping = new AbortController();

  constructor(options: CatchUpOptions) {
    this.options = options;
  }

  /** Before records and storage are reconciled: then they agree with what Redis has now. */
  async start(): Promise<void> {
    this.comparedWith = await this.options.store.connection.identity();
    this.pausedFor = this.comparedWith;
  }

  /** Volumes that the start has not examined, perhaps of an older state of Redis: they are when nothing is under way for them. */
  examine(ids: readonly string[]): void {
    this.unseen = ids;
  }

  /** Whether Redis has lost this node's lease and its records have not been compared with storage since. */
  get isDue(): boolean {
    return this.comparedWith === undefined;
  }

  /** The lease is not as this daemon left it: it is acquired again where nobody else has it. */
  regain(): Promise<void> {
    this.regaining ??= this.reacquire().finally(() => {
      this.regaining = undefined;
    });
    return this.regaining;
  }

  /** What is under way ends soon; the next start continues it. */
  stop(): void {
    this.stopping.abort();
  }

  /** With each report: compares records and storage where Redis may have lost changes, when the cluster has a place for it. */
  run(): Promise<void> {
    return this.one.run(() => this.compare());
  }

  private async compare(): Promise<void> {
    const { store, audit, lease, places, jitterMs, addresses, log } = this.options;
    const { signal } = this.stopping;
    const identity = await store.connection.identity();
    if (signal.aborted || (identity === this.comparedWith && !this.isWorthAnother)) return;
    if (identity !== this.comparedWith) this.isAfterLoss = true;
    if (this.pausedFor !== identity) {
      // All nodes notice a failover at once.
      await pause(Math.random() * jitterMs, undefined, { signal }).catch(() => undefined);
      this.pausedFor = identity;
    }
    if (signal.aborted || !(await beginCatchUp(store, { node: lease.node, places, lengthMs: placeMs }))) return;
    try {
      await this.options.restoreAbandoned();
      await addresses.refill();
      const { findings, busy, resumed } = await audit.run({ repair: true, remove: [] }, signal, { asksNetwork: false });
      this.report(findings);
      const isSame = this.comparedWith === identity;
      // After one whose repairs failed, each that is busy now may be one of those.
      const unseen = isSame && this.retry === undefined ? this.unseen.filter((id) => busy.has(id)) : busy;
      this.unseen = [...new Set([...unseen, ...resumed])];
      this.comparedWith = identity;
      const isRepaired = findings.every(({ failure }) => failure === undefined);
      this.retry = isRepaired ? undefined : later(isSame ? this.retry : undefined);
      if (this.unseen.length > 0 || !isRepaired) return;
      this.reported.clear();
      if (this.isAfterLoss) log.info(logLines.caughtUp);
      this.isAfterLoss = false;
    } finally {
      await store.read((redis) => redis.zrem(store.keys.catchingUp(), lease.node));
    }
  }

  /** Volumes that were busy are examined when they are no longer, and failed repairs are repeated. */
  private get isWorthAnother(): boolean {
    if (this.unseen.some((id) => !this.options.isBusy(id))) return true;
    return this.retry !== undefined && performance.now() >= this.retry.at;
  }

  /** One line for the repaired differences; each other one has a line of its own, once although it is tried again with each report. */
  private report(findings: readonly Finding[]): void {
    const { log } = this.options;
    const fixed = findings.filter((finding) => finding.fixed);
    if (fixed.length > 0)
      log.warn(
        'repaired what an interruption of Redis had lost',
        countBy(fixed, ({ fix }) => fix),
      );
    const lines = findings
      .filter((finding) => !finding.fixed)
      .map(({ object, what, failure }) => `after an interruption of Redis: ${object} ${what}${because(failure)}`)
      .filter((line) => !this.reported.has(line));
    for (const line of lines) this.reported.add(line);
    for (const line of lines.slice(0, maxLines)) log.warn(line);
    if (lines.length > maxLines) {
      log.warn(`and ${lines.length - maxLines} more differences`, { hint: 'to list them: blockstore audit' });
    }
  }

  private async reacquire(): Promise<void> {
    const { lease, log, onFenced } = this.options;
    try {
      await lease.reacquire();
      const causes = await persistenceProblems(this.options.store);
      const hint = causes.map((cause) => `${cause.message}: ${cause.hint}`).join('; ');
      log.warn(`${logLines.leaseLost} ${lease.node}; this daemon acquired it again`, hint === '' ? {} : { hint });
      this.comparedWith = undefined;
      this.pausedFor = await this.options.store.connection.identity();
      await this.one.run(() => {
        this.comparedWith = undefined; // a comparison that was under way began before
        return this.compare();
      });
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') onFenced(error);
      else log.debug('the lease is not acquired again yet', { reason: error.message }); // the next report tries again
    }
  }
}

function because(failure: string | undefined): string {
  return failure === undefined ? '' : `: ${failure}`;
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] ?? 0) + 1;
  return counts;
}

function later(before: { pauseMs: number } | undefined): { at: number; pauseMs: number } {
  const pauseMs = before ? Math.min(before.pauseMs * 2, longestRetryMs) : firstRetryMs;
  return { at: performance.now() + pauseMs, pauseMs };
}
