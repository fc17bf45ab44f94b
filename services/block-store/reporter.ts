import { schedule } from 'node-cron';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Service } from '../../lib/service.ts';

/** Calls `tick` every second, one at a time, until what it returns is destroyed. */
export type EverySecond = (tick: () => Promise<void>, log: Log) => { destroy(): Promise<void> | void };

/** Calls `report` every `intervalS` seconds, one at a time; one that fails is logged once, and the next one still comes. */
export class Reporter implements Service {
  readonly name: string;
  private readonly atOnce: boolean;
  private readonly intervalMs: number;
  private readonly report: () => Promise<void>;
  private readonly log: Log;
  private readonly onFenced: (error: BlockstoreError) => void;
  private readonly everySecond: EverySecond;
  private task: ReturnType<EverySecond> | undefined;
  private last = 0;
  private running: Promise<void> = Promise.resolve();
  private lastFailure = '';

  constructor(options: {
    name: string;
    /** Whether the start waits for a first report. */
    atOnce: boolean;
    intervalS: number;
    report: () => Promise<void>;
    log: Log;
    onFenced: (error: BlockstoreError) => void;
    everySecond?: EverySecond | undefined;
  }) {
    this.name = options.name;
    this.atOnce = options.atOnce;
    this.intervalMs = options.intervalS * 1000;
    this.report = options.report;
    this.log = options.log;
    this.onFenced = options.onFenced;
    this.everySecond = options.everySecond ?? bySchedule;
  }

  async start(): Promise<void> {
    this.last = performance.now();
    if (this.atOnce) await this.report();
    this.task = this.everySecond(() => this.tick(), this.log);
  }

  async stop(): Promise<void> {
    await this.task?.destroy();
    await this.running;
  }

  /** Every second; the interval is measured by a clock that nobody sets. */
  private tick(): Promise<void> {
    const slack = 100;
    if (performance.now() - this.last < this.intervalMs - slack) return Promise.resolve();
    this.last = performance.now();
    this.running = this.once();
    return this.running;
  }

  private async once(): Promise<void> {
    try {
      await this.report();
      this.lastFailure = '';
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') return this.onFenced(error);
      if (error.code === 'RedisUnreachable') return; // its connection has said so
      if (error.message !== this.lastFailure)
        this.log.error(`the ${this.name} failed: ${error.message}`, { code: error.code });
      this.lastFailure = error.message;
    }
  }
}

function bySchedule(tick: () => Promise<void>, log: Log) {
  return schedule('* * * * * *', tick, { noOverlap: true, timezone: 'UTC', logger: quiet(log) });
}

/** A slow report makes node-cron skip seconds, and complain: they are there to be skipped. */
function quiet(log: Log) {
  const said = (message: string | Error) => `node-cron: ${message instanceof Error ? message.message : message}`;
  const debug = (message: string | Error) => log.debug(said(message));
  return { info: debug, warn: debug, error: (message: string | Error) => log.error(said(message)), debug };
}
