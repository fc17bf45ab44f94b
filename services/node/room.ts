import { setTimeout as pause } from 'node:timers/promises';
import type { DriverStats, VolumeDriver } from '../../lib/drivers/driver.ts';
import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';

/**
 * What storage last said of its room. One that hangs or fails must not make its node look dead: the heartbeat goes on with
 * what was known, and tells the problem.
 */
export class Room {
  private readonly options: { driver: VolumeDriver; patienceMs: number; log: Log };
  private last: DriverStats = { totalBytes: 0, freeBytes: 0, volumeBytes: 0, acceptsCreates: true };
  private asking: Promise<void> | undefined;
  private trouble: string | undefined;

  constructor(options: { driver: VolumeDriver; patienceMs: number; log: Log }) {
    this.options = options;
  }

  /** Within `patienceMs`. */
  async look(): Promise<DriverStats> {
    const { patienceMs } = this.options;
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    const over = new AbortController();
    const late = pause(patienceMs, true, { signal: over.signal }).catch(() => false);
    if (await Promise.race([this.asking, late])) this.tell(`storage does not answer within ${patienceMs / 1000} s`);
    over.abort();
    return this.last;
  }

  /** One line where storage did not answer. */
  get problems(): readonly string[] {
    return this.trouble === undefined ? [] : [this.trouble];
  }

  private async ask(): Promise<void> {
    try {
      this.last = await this.options.driver.stats();
      if (this.last.problem === undefined) this.trouble = undefined;
      else this.tell(this.last.problem);
    } catch (error) {
      this.tell(`storage does not say how much room it has: ${asError(error).message}`);
    }
  }

  private tell(trouble: string): void {
    if (this.trouble !== trouble) this.options.log.error(trouble);
    this.trouble = trouble;
  }
}
