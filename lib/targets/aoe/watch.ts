import { Semaphore, pollUntil } from '../../concurrency.ts';
import { type BlockstoreError, asError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { TargetProblem } from '../target.ts';
import { interfaceState } from './interface.ts';

export interface WatchOptions {
  interface: string;
  /** Returns the volumes whose export should run and has ended. Called every second. */
  deadExports: () => string[];
  /** Starts an export that has ended. */
  restart: (id: string) => Promise<void>;
  /** Corrects the access to exports. Returns the differences. */
  checkAccess: () => Promise<string[]>;
  log: Log;
}

const everyMs = 1000;
/** The check of the access is rarer, because it reads all filters. */
const ticksPerAccessCheck = 10;
/** After a return of the interface all exports have to start: a few at a time. */
const concurrency = 8;
const maxPauseMs = 30_000;
/** How long a stop waits for restarts: a start that hangs takes a minute. */
const stopMs = 5000;

interface Failure {
  error: BlockstoreError;
  attempts: number;
  /** When the next attempt is due, by performance.now(). */
  due: number;
}

/**
 * Checks the interface and the processes of the exports every second, without a command or a request, and restarts ended ones.
 * While the interface is down it is the only problem; when it returns all exports are started at once.
 */
export class Watch {
  private readonly options: WatchOptions;
  private readonly failures = new Map<string, Failure>();
  private readonly slots = new Semaphore(concurrency);
  /** Exports that are being restarted, or wait for a slot. */
  private readonly restarting = new Set<string>();
  private interfaceProblem: BlockstoreError | undefined;
  private accessProblem: BlockstoreError | undefined;
  private index: string | undefined;
  private ticks = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.options = options;
  }

  start(): void {
    this.index = interfaceState(this.options.interface).index;
    this.timer ??= setInterval(() => {
      this.running ??= this.tick()
        .catch((error: unknown) => this.options.log.error(`could not watch exports: ${asError(error).message}`))
        .finally(() => {
          this.running = undefined;
        });
    }, everyMs).unref();
  }

  /** Begins no further restart, and waits a few seconds for those that have begun. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.running;
    await pollUntil(() => this.restarting.size === 0, { deadlineMs: stopMs });
  }

  /** Returns the problems of the whole node and of single volumes. */
  get problems(): TargetProblem[] {
    const node = [this.interfaceProblem, this.accessProblem].filter((error) => error !== undefined);
    const volumes = this.interfaceProblem ? [] : [...this.failures].map(([id, { error }]) => ({ id, error }));
    return [...node.map((error) => ({ error })), ...volumes];
  }

  /** The export runs, or should no longer run. */
  clear(id: string): void {
    this.failures.delete(id);
  }

  private async tick(): Promise<void> {
    this.ticks += 1;
    const returned = this.noteInterface();
    if (this.interfaceProblem) return;
    if (returned || this.ticks % ticksPerAccessCheck === 0) await this.checkAccess();
    const now = performance.now();
    const due = this.options.deadExports().filter((id) => (this.failures.get(id)?.due ?? 0) <= now);
    for (const id of due) this.begin(id);
  }

  /** Not awaited: an export whose start hangs delays no other one, and no check. */
  private begin(id: string): void {
    if (this.restarting.has(id)) return;
    this.restarting.add(id);
    void this.slots
      .run(async () => {
        if (this.timer !== undefined) await this.restart(id);
      })
      .finally(() => this.restarting.delete(id));
  }

  /** Returns whether the interface has returned: processes bound to it have ended, and its filters can be gone. */
  private noteInterface(): boolean {
    const { interface: name, log } = this.options;
    const { error, index } = interfaceState(name);
    const before = this.interfaceProblem;
    this.interfaceProblem = error;
    if (error) {
      if (before?.message !== error.message) log.error(error.message, { hint: error.hint });
      return false;
    }
    const returned = before !== undefined || index !== this.index;
    this.index = index;
    if (returned) {
      log.info(`network interface ${name} is up again`);
      this.failures.clear();
    }
    return returned;
  }

  private async checkAccess(): Promise<void> {
    const { log, checkAccess } = this.options;
    try {
      const differences = await checkAccess();
      if (differences.length > 0)
        log.warn('access to exports was not restricted as it should be, corrected', { differences });
      if (this.accessProblem) log.info('access to exports is restricted again');
      this.accessProblem = undefined;
    } catch (thrown) {
      const error = asError(thrown);
      if (this.accessProblem?.message !== error.message) log.error(error.message, { hint: error.hint });
      this.accessProblem = error;
    }
  }

  private async restart(id: string): Promise<void> {
    const { restart, log } = this.options;
    try {
      await restart(id);
      this.failures.delete(id);
    } catch (thrown) {
      const error = asError(thrown);
      const before = this.failures.get(id);
      const attempts = (before?.attempts ?? 0) + 1;
      const due = performance.now() + Math.min(2 ** attempts * 1000, maxPauseMs);
      this.failures.set(id, { error, attempts, due });
      if (before?.error.message !== error.message) log.error(error.message, { volume: id, hint: error.hint });
    }
  }
}
