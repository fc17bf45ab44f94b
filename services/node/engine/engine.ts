import { KeyedMutex, Semaphore } from '../../../lib/concurrency.ts';
import { type BlockstoreError, asError } from '../../../lib/errors.ts';
import type { TaskKind } from '../../../lib/models/task.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { inSpan } from '../../../lib/tracing.ts';
import { GroupRunner } from './group-runner.ts';
import type { Operation } from './operation.ts';
import type { ObserveOperation, OperationOutcome } from './operation-outcome.ts';
import { operationOf } from './operations.ts';
import { OperationRunner, type RunnerOptions } from './operation-runner.ts';

export interface EngineOptions extends RunnerOptions {
  /** Short operations that run at a time. */
  maxShortOperations: number;
  observe?: ObserveOperation | undefined;
  /** Called when the daemon has lost its lease. */
  onFenced: (error: BlockstoreError) => void;
}

const maxLongOperations = 8;

/** Carries out the tasks of this node's volumes: one at a time for each volume, a bounded number of volumes at a time. */
export class Engine {
  private readonly options: EngineOptions;
  private readonly mutex = new KeyedMutex();
  private readonly semaphores: Readonly<Record<Operation['queue'], Semaphore>>;
  private readonly stopping = new AbortController();
  private readonly runner: OperationRunner;
  private readonly groups: GroupRunner;
  private readonly running = new Set<Promise<void>>();
  private readonly busy = new Map<string, number>();
  /** Tasks that are carried out or wait here, with their records as they were read. */
  private readonly inFlight = new Map<string, VolumeState>();
  private shortInFlight = 0;

  constructor(options: EngineOptions) {
    this.options = options;
    this.semaphores = {
      short: new Semaphore(options.maxShortOperations),
      long: new Semaphore(maxLongOperations),
    };
    const exclusively = (id: string, work: () => Promise<void>) => this.exclusively(id, work);
    this.runner = new OperationRunner(options, this.stopping.signal, exclusively);
    this.groups = new GroupRunner(options, this.stopping.signal);
  }

  /** How many more short operations would begin at once. Long ones do not count: they hold up nothing short. */
  get freeSlots(): number {
    return Math.max(0, this.options.maxShortOperations - this.shortInFlight);
  }

  /** Whether an operation on the volume runs or waits here. */
  isBusy(id: string): boolean {
    return this.busy.has(id);
  }

  /** Volumes on which an operation runs or waits here. */
  get busyIds(): Iterable<string> {
    return this.busy.keys();
  }

  /** Volumes whose tasks are carried out or wait here, as they were read. */
  get underWay(): Iterable<VolumeState> {
    return this.inFlight.values();
  }

  /**
   * Begins the task of a record as it was just read; a task that is in flight already is passed over, and one of a volume that another
   * node has taken over since its command was sent.
   */
  submit(volume: VolumeState, { isResumed }: { isResumed: boolean }): void {
    const { id, node, task, taskText } = volume;
    if (!task || node !== this.options.lease.node) return;
    const operation = operationOf(volume);
    if (!operation) return this.submitGroup(volume, task.kind, isResumed);
    const name = `${id} ${taskText}`;
    if (this.inFlight.has(name)) return;
    const queue = volume.isCopying ? 'long' : operation.queue;
    const slots = queue === 'short' ? 1 : 0;
    this.inFlight.set(name, volume);
    this.shortInFlight += slots;
    const semaphore = this.semaphores[queue];
    const isBehind = this.busy.has(id);
    const isStale = isBehind || semaphore.freeSlots <= 0;
    const begin = performance.now();
    const work = this.exclusively(id, () =>
      semaphore.run(() => this.carryOut(volume, { isResumed, isStale, isBehind })),
    )
      .catch((error: unknown) => this.fail(volume, asError(error)))
      .then((outcome) => this.observe(task.kind, outcome, begin))
      .finally(() => {
        this.running.delete(work);
        this.inFlight.delete(name);
        this.shortInFlight -= slots;
      });
    this.running.add(work);
  }

  /** The volumes of a group have the same task, which is one operation on all of them: it begins with the first one. */
  private submitGroup(volume: VolumeState, kind: TaskKind, isResumed: boolean): void {
    const name = volume.taskText;
    if (this.inFlight.has(name)) return;
    this.inFlight.set(name, volume);
    const begin = performance.now();
    const carryOut = () =>
      this.semaphores.long.run(async () =>
        this.stopping.signal.aborted ? undefined : inSpan(spanOf(volume), () => this.groups.run(volume, { isResumed })),
      );
    const work = this.groups
      .volumesWith(volume)
      .then((ids) => this.exclusivelyAll(ids, carryOut))
      .catch((error: unknown) => this.fail(volume, asError(error)))
      .then((outcome) => this.observe(kind, outcome, begin))
      .finally(() => {
        this.running.delete(work);
        this.inFlight.delete(name);
      });
    this.running.add(work);
  }

  /** Always in the same order: two of them never wait for each other. */
  private exclusivelyAll<T>([id, ...others]: readonly string[], work: () => Promise<T>): Promise<T> {
    return id === undefined ? work() : this.exclusively(id, () => this.exclusivelyAll(others, work));
  }

  /** Does other work on a volume while no operation runs on it. */
  async exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.busy.set(id, (this.busy.get(id) ?? 0) + 1);
    try {
      return await this.mutex.run(id, work);
    } finally {
      const others = (this.busy.get(id) ?? 1) - 1;
      if (others === 0) this.busy.delete(id);
      else this.busy.set(id, others);
    }
  }

  /** The same with work that may take long: it is counted as a long operation, and the end of the daemon aborts it. */
  atLength(id: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = this.exclusively(id, () => this.semaphores.long.run(() => work(this.stopping.signal)));
    const ended = done.catch(() => undefined).finally(() => this.running.delete(ended));
    this.running.add(ended);
    return done;
  }

  /** Waits for what is under way; what has not ended by then is resumed at the next start. */
  async stop(limitMs: number): Promise<void> {
    const limit = setTimeout(() => this.stopping.abort(), limitMs);
    await Promise.allSettled(this.running);
    clearTimeout(limit);
    this.stopping.abort();
  }

  /** The lease is lost: nothing destructive goes on. */
  abort(): void {
    this.stopping.abort();
  }

  private async carryOut(
    volume: VolumeState,
    how: { isResumed: boolean; isStale: boolean; isBehind: boolean },
  ): Promise<OperationOutcome | undefined> {
    if (this.stopping.signal.aborted) return undefined;
    return inSpan(spanOf(volume), () => this.runner.run(volume, how));
  }

  private observe(kind: TaskKind, outcome: OperationOutcome | undefined, begin: number): void {
    if (outcome) this.options.observe?.(kind, outcome, (performance.now() - begin) / 1000);
  }

  private fail(volume: VolumeState, error: BlockstoreError): OperationOutcome {
    if (error.code === 'Fenced') this.options.onFenced(error);
    else this.runner.reportFailure(volume, volume.task?.kind ?? 'task', error);
    return 'interrupted';
  }
}

function spanOf({ id, node, backend, requestedBy, task }: VolumeState) {
  return {
    name: `operation ${task?.kind ?? ''}`,
    kind: 'consumer',
    requester: requestedBy,
    attributes: { 'blockstore.volume': id, 'blockstore.node': node, 'blockstore.backend': backend },
  } as const;
}
