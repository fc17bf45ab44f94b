import { type BlockstoreError, asError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { TargetProblem } from './target.ts';

export interface WatchOptions {
  /** What serves the exports, at the beginning of a sentence and in short. */
  server: { name: string; loser: string };
  /** Whether it should run and does not. Called every second. Default: it always runs. */
  isDown?: () => boolean;
  /** Starts it where it does not run. */
  start: () => Promise<void>;
  /** Returns the volumes that it should serve and does not. */
  lost: () => Promise<string[]>;
  /** Has it serve one of them again. */
  restore: (id: string) => Promise<void>;
  log: Log;
}

const everyMs = 1000;
/** Reading all exports costs a command, or several files for each. */
const ticksPerLook = 3;
const maxPauseTicks = 30;

/** Checks the server of exports every second and its exports every three, and rebuilds one by one those that it has lost. */
export class Watch {
  private readonly options: WatchOptions;
  private problem: BlockstoreError | undefined;
  private readonly failures = new Map<string, BlockstoreError>();
  /** Exports that were rebuilt. */
  restarts = 0;
  private ticks = 0;
  private failedTries = 0;
  private nextTry = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.options = options;
  }

  begin(): void {
    this.timer ??= setInterval(() => {
      this.running ??= this.tick().finally(() => {
        this.running = undefined;
      });
    }, everyMs).unref();
  }

  /** What is being rebuilt is completed. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.running;
  }

  /** Returns the problem of the server, or else those of single exports. */
  get problems(): TargetProblem[] {
    if (this.problem) return [{ error: this.problem }];
    return Array.from(this.failures, ([id, error]) => ({ id, error }));
  }

  /** The export is as it should be, or should no longer be. */
  clear(id: string): void {
    this.failures.delete(id);
  }

  private async tick(): Promise<void> {
    const { log, server, isDown = () => false, start, lost } = this.options;
    this.ticks += 1;
    const wasDown = isDown();
    if (this.ticks < this.nextTry || (!wasDown && this.ticks % ticksPerLook !== 0)) return;
    try {
      if (wasDown || this.problem) {
        if (wasDown && !this.problem)
          log.warn(`${server.name} has ended: it is started again, and its exports are rebuilt`);
        await start();
      }
      const ids = await lost();
      this.note(undefined);
      for (const id of ids) {
        if (this.timer === undefined || isDown()) return; // the next tick or the next server continues
        await this.rebuild(id);
      }
    } catch (error) {
      this.note(asError(error));
    }
  }

  private async rebuild(id: string): Promise<void> {
    const { log, server, restore } = this.options;
    try {
      await restore(id);
      this.restarts += 1;
      this.failures.delete(id);
      log.warn(`rebuilt the export of volume ${id}, which ${server.loser} had lost`);
    } catch (thrown) {
      const error = asError(thrown);
      if (this.failures.get(id)?.message !== error.message) log.error(error.message, { volume: id, hint: error.hint });
      this.failures.set(id, error);
    }
  }

  /** A server that cannot be started is tried less and less often. */
  private note(error: BlockstoreError | undefined): void {
    const { log, server } = this.options;
    if (error && this.problem?.message !== error.message) log.error(error.message, { hint: error.hint });
    if (!error && this.problem) log.info(`${server.name} serves again`);
    this.problem = error;
    this.failedTries = error ? this.failedTries + 1 : 0;
    this.nextTry = error ? this.ticks + Math.min(2 ** (this.failedTries - 1), maxPauseTicks) : 0;
  }
}
