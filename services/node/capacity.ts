import { setTimeout as pause } from 'node:timers/promises';
import type { DriverStats, VolumeDriver } from '../../lib/drivers/driver.ts';
import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';

/**
 * The figures that storage last gave. Storage that hangs or fails must not make its node look dead: the heartbeat continues with
 * the last figures, and the backend reports the problem.
 */
export class CapacityMonitor {
  private readonly options: { driver: VolumeDriver; patienceMs: number; log: Log };
  private last: DriverStats = { totalBytes: 0, freeBytes: 0, volumeBytes: 0, acceptsCreates: false };
  private reading: Promise<void> | undefined;
  private failure: string | undefined;

  constructor(options: { driver: VolumeDriver; patienceMs: number; log: Log }) {
    this.options = options;
  }

  /** Returns within `patienceMs`. */
  async read(): Promise<DriverStats> {
    const { patienceMs } = this.options;
    this.reading ??= this.refresh().finally(() => {
      this.reading = undefined;
    });
    const over = new AbortController();
    const late = pause(patienceMs, true, { signal: over.signal }).catch(() => false);
    if (await Promise.race([this.reading, late])) this.fail(`storage does not answer within ${patienceMs / 1000} s`);
    over.abort();
    return this.last;
  }

  /** Undefined while storage answers. */
  get problem(): string | undefined {
    return this.failure;
  }

  private async refresh(): Promise<void> {
    try {
      this.last = await this.options.driver.stats();
      if (this.failure !== undefined) this.options.log.info('storage reports its capacity again');
      this.failure = undefined;
    } catch (error) {
      this.fail(`storage does not report its capacity: ${asError(error).message}`);
    }
  }

  private fail(problem: string): void {
    if (this.failure !== problem) this.options.log.error(problem);
    this.failure = problem;
  }
}
