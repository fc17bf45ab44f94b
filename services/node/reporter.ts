import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Service } from '../../lib/service.ts';
import { type EverySecond, everySecond } from './every-second.ts';

/** Calls `report` every `intervalS` seconds, one at a time; a failure is logged when it begins and when it is over, and the next one still comes. */
export class Reporter implements Service {
  readonly name: string;
  private readonly atOnce: boolean;
  private readonly intervalMs: number;
  private readonly report: () => Promise<void>;
  private readonly isUrgent: () => boolean;
  private readonly isRedisAway: () => boolean;
  private readonly log: Log;
  private readonly onFenced: (error: BlockstoreError) => void;
  private readonly everySecond: EverySecond;
  private task: ReturnType<EverySecond> | undefined;
  private last = 0;
  private running: Promise<void> = Promise.resolve();
  private lastFailure = '';
  /** Reports in a row that Redis did not answer, or as if it were not there, over a connection that holds. */
  private unanswered = 0;

  constructor(options: {
    name: string;
    /** Whether the start waits for a first report. */
    atOnce: boolean;
    intervalS: number;
    report: () => Promise<void>;
    /** Whether to report at once, asked every second. */
    isUrgent?: () => boolean;
    /** Whether the connection to Redis is interrupted, which it logs itself. Without, no report logs that Redis is unreachable. */
    isRedisAway?: () => boolean;
    log: Log;
    onFenced: (error: BlockstoreError) => void;
    everySecond?: EverySecond | undefined;
  }) {
    this.name = options.name;
    this.atOnce = options.atOnce;
    this.intervalMs = options.intervalS * 1000;
    this.report = options.report;
    this.isUrgent = options.isUrgent ?? (() => false);
    this.isRedisAway = options.isRedisAway ?? (() => true);
    this.log = options.log;
    this.onFenced = options.onFenced;
    this.everySecond = options.everySecond ?? everySecond;
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
    const isDue = performance.now() - this.last >= this.intervalMs - slack;
    if (!isDue && !this.isUrgent()) return Promise.resolve();
    this.last = performance.now();
    this.running = this.once();
    return this.running;
  }

  private async once(): Promise<void> {
    try {
      await this.report();
      if (this.lastFailure !== '') this.log.info(`the ${this.name} succeeds again`);
      this.lastFailure = '';
      this.unanswered = 0;
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') return this.onFenced(error);
      this.unanswered = error.code === 'RedisUnreachable' && !this.isRedisAway() ? this.unanswered + 1 : 0;
      // After the first one the connection may just have been made again.
      if (error.code === 'RedisUnreachable' && this.unanswered < 2) return;
      if (error.message !== this.lastFailure) {
        this.log.error(`the ${this.name} failed: ${error.message}`, { code: error.code, hint: error.hint });
      }
      this.lastFailure = error.message;
    }
  }
}
