import { Semaphore, pollUntil } from '../../concurrency.ts';
import { type BlockstoreError, asError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { TargetProblem } from '../target.ts';
import { type InterfaceIdentity, interfaceStatus, isSameInterface } from './interface.ts';
import { RestartHistory } from './restart-history.ts';

export interface WatchOptions {
  interface: string;
  /** Returns the volumes whose export should run and has ended, or is outdated. Called every second. */
  deadExports: () => string[];
  /** The interface is another one, or has another address or MTU: exports that run are outdated. */
  onInterfaceChange: (identity: InterfaceIdentity) => Promise<void>;
  /** Starts an export that has ended. */
  restart: (id: string) => Promise<void>;
  /** Corrects the access to exports. Returns the differences. */
  checkAccess: () => Promise<string[]>;
  log: Log;
}

const everyMs = 1000;
/** The check of the access is rarer, because it reads all filters. */
const ticksPerAccessCheck = 10;
/** Without a usable link for so long it is a problem: a cable that was plugged in, or a new start, takes a few seconds. */
const ticksToNegotiate = 5;
/** After a return of the interface all exports have to start: a few at a time. */
const concurrency = 8;
/** A start that takes longer hangs: the exports that wait begin without it. */
const slotMs = 3000;
/** How long a stop waits for restarts: a start that hangs takes a minute. */
const stopMs = 5000;

/**
 * Checks the interface and the processes of the exports every second, without a command or a request, and restarts ended ones.
 * While the interface is down it is the only problem; when it returns all exports are started at once.
 */
export class Watch {
  private readonly options: WatchOptions;
  private readonly history = new RestartHistory();
  private readonly slots = new Semaphore(concurrency);
  /** Exports that are being restarted, or wait for a slot. */
  private readonly restarting = new Set<string>();
  private interfaceProblem: BlockstoreError | undefined;
  private linkProblem: BlockstoreError | undefined;
  private ticksWithoutLink = 0;
  private accessProblem: BlockstoreError | undefined;
  private identity: InterfaceIdentity | undefined;
  /** Exports that were started again. */
  restarts = 0;
  private ticks = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.options = options;
  }

  /** `identity`: the interface as the exports have it. */
  start(identity: InterfaceIdentity | undefined): void {
    this.identity = identity;
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
    if (this.interfaceProblem) return [{ error: this.interfaceProblem }];
    const node = [this.linkProblem, this.accessProblem].filter((error) => error !== undefined);
    return [...node.map((error) => ({ error })), ...this.history.problems];
  }

  /** Somebody else has started the export. */
  noteRunning(id: string): void {
    this.history.noteRunning(id);
  }

  /** The export should no longer run. */
  clear(id: string): void {
    this.history.clear(id);
  }

  private async tick(): Promise<void> {
    this.ticks += 1;
    const returned = await this.noteInterface();
    if (this.interfaceProblem) return;
    const isDue = (id: string) => !this.restarting.has(id) && this.history.isDue(id);
    // What ended the exports may have removed their filters: the interface was away between two of these ticks.
    const hasDue = this.options.deadExports().some(isDue);
    if (returned || hasDue || this.ticks % ticksPerAccessCheck === 0) await this.checkAccess();
    for (const id of this.options.deadExports()) if (isDue(id)) this.begin(id);
  }

  /** Not awaited: an export whose start hangs delays no other one, and no check. */
  private begin(id: string): void {
    this.restarting.add(id);
    void this.slots.run(async () => {
      const restart = this.timer === undefined ? Promise.resolve() : this.restart(id);
      const ended = restart.finally(() => this.restarting.delete(id));
      await settledWithin(ended, slotMs);
    });
  }

  /** Returns whether the interface has returned or changed: processes bound to it have ended, and its filters can be gone. */
  private async noteInterface(): Promise<boolean> {
    const { interface: name, log, onInterfaceChange } = this.options;
    const { error, linkError, identity } = interfaceStatus(name);
    const before = this.interfaceProblem;
    this.interfaceProblem = error;
    if (error) {
      if (before?.message !== error.message) log.error(error.message, { hint: error.hint });
      return false;
    }
    this.noteLink(linkError);
    const was = this.identity;
    const isOther = !isSameInterface(was, identity);
    this.identity = identity;
    if (identity && isOther) {
      log.warn(`network interface ${name} has changed: all exports are started anew`, { was, identity });
      await this.checkAccess(); // before exports start anew on an interface that has no filters yet
      await onInterfaceChange(identity);
    } else if (before) {
      log.info(`network interface ${name} is up again`);
    }
    const returned = before !== undefined || isOther;
    if (returned) this.history.clearAll();
    return returned;
  }

  private noteLink(error: BlockstoreError | undefined): void {
    const { interface: name, log } = this.options;
    const before = this.linkProblem;
    this.ticksWithoutLink = error ? this.ticksWithoutLink + 1 : 0;
    this.linkProblem = this.ticksWithoutLink < ticksToNegotiate ? undefined : error;
    if (!this.linkProblem && !before) return;
    if (!error) log.info(`network interface ${name} can be used again`);
    else if (before?.message !== error.message) log.error(error.message, { hint: error.hint });
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
    const before = this.history.problemOf(id)?.message;
    try {
      await restart(id);
      this.restarts += 1;
      this.history.noteRestart(id);
    } catch (thrown) {
      this.history.noteFailure(id, asError(thrown));
    }
    const error = this.history.problemOf(id);
    if (error && before !== error.message) log.error(error.message, { volume: id, hint: error.hint });
  }
}

/** Resolves when the promise has settled, or the time is over. */
async function settledWithin(promise: Promise<void>, ms: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, over]);
  clearTimeout(timer);
}
