import { type ScheduledTask, schedule } from 'node-cron';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Service } from '../../lib/service.ts';

/** Calls `report` every `intervalS` seconds, one at a time; one that fails is logged once, and the next one still comes. */
export class Reporter implements Service {
  readonly name = 'reporter';
  private readonly intervalMs: number;
  private readonly report: () => Promise<void>;
  private readonly log: Log;
  private readonly onFenced: (error: BlockstoreError) => void;
  private task: ScheduledTask | undefined;
  private last = 0;
  private running: Promise<void> = Promise.resolve();
  private lastFailure = '';

  constructor(options: {
    intervalS: number;
    report: () => Promise<void>;
    log: Log;
    onFenced: (error: BlockstoreError) => void;
  }) {
    this.intervalMs = options.intervalS * 1000;
    this.report = options.report;
    this.log = options.log;
    this.onFenced = options.onFenced;
  }

  /** The first report is made before anything else is told that the node is there. */
  async start(): Promise<void> {
    this.last = performance.now();
    await this.report();
    this.task = schedule('* * * * * *', () => this.tick(), { noOverlap: true, timezone: 'UTC' });
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
        this.log.error(`the report failed: ${error.message}`, { code: error.code });
      this.lastFailure = error.message;
    }
  }
}
