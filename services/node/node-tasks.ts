import type { AuditResult } from '../../lib/audit/finding.ts';
import { type Fault, asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { parseNodeTask } from '../../lib/models/node-task.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import type { Audit } from './audit.ts';
import type { NodeLease } from './lease.ts';

export interface NodeTasksOptions {
  store: Store;
  lease: NodeLease;
  audit: Audit;
  log: Log;
  /** Redis has lost the lease: acquires it again, where nobody else has it. */
  regain: () => Promise<void>;
}

/** Carries out the task in the node's own record, and replies. */
export class NodeTasks implements Service {
  readonly name = 'node-tasks';
  private readonly options: NodeTasksOptions;
  private readonly stopping = new AbortController();
  private last: Promise<void> = Promise.resolve();

  constructor(options: NodeTasksOptions) {
    this.options = options;
  }

  /** A task that an earlier daemon did not end. */
  async start(): Promise<void> {
    this.check();
  }

  /** What has not ended by then is carried out at the next start, before its deadline. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.last;
  }

  /** Begins the task of the record, if it has one, when those before it have ended. */
  check(): void {
    this.last = this.last
      .then(() => this.carryOut())
      .catch((error: unknown) => {
        this.options.log.warn('could not reply to a request to this node', { reason: asError(error).message });
      });
  }

  private async carryOut(): Promise<void> {
    const { store, lease } = this.options;
    if (this.stopping.signal.aborted) return;
    const text = await store.read((redis) => redis.hget(store.keys.node(lease.node), 'task'));
    const task = parseNodeTask(text ?? undefined);
    if (text === null || !task) return;
    const isLate = task.deadline <= (await redisTime(store));
    // Who joined it later than it was requested still waits.
    const end = isLate ? { fault: errors.begunTooLate(lease.node).toFault() } : await this.audit(task.request);
    if (this.stopping.signal.aborted && !('result' in end)) return;
    const finish = () =>
      commit(store, {
        owner: lease.token,
        edits: [{ kind: 'node', id: lease.node, expect: { task: text }, unset: ['task', 'requesters'] }],
        replies: [{ edit: 0, ...end }],
        frees: true,
      });
    if ((await finish()).word !== 'Fenced') return;
    await this.options.regain();
    await finish();
  }

  private async audit(request: Parameters<Audit['run']>[0]): Promise<{ result: string } | { fault: Fault }> {
    try {
      const { findings, busy, notCompared } = await this.options.audit.run(request, this.stopping.signal);
      const result: AuditResult = { findings, notExamined: [...busy], notCompared };
      return { result: JSON.stringify(result) };
    } catch (error) {
      return { fault: asError(error).toFault() };
    }
  }
}
