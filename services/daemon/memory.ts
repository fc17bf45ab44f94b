import { getHeapSpaceStatistics } from 'node:v8';
import type { Service } from '../../lib/service.ts';

const firstLookMs = 5000;
const lookEveryMs = 60_000;
/** Share of the time in which the daemon has worked since the last look; a busy one needs its memory. */
const idleShare = 0.1;
/** A young generation of this size is not worth the pause, which is about 40 ms. */
const keptBytes = 4 * 2 ** 20;

/**
 * Returns memory to the system once the daemon is idle. Node.js lets the young generation grow up to the limit that the launcher sets
 * when there is much to do, as at the start, and never makes it smaller by itself.
 */
export class MemoryRelease implements Service {
  readonly name = 'memory';
  private timer: NodeJS.Timeout | undefined;
  private before = performance.eventLoopUtilization();

  async start(): Promise<void> {
    this.lookIn(firstLookMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
  }

  private lookIn(ms: number): void {
    this.timer = setTimeout(() => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, this.before);
      this.before = now;
      if (utilization < idleShare && youngBytes() > keptBytes) {
        // Absent without --expose-gc, which the launcher gives.
        globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
      }
      this.lookIn(lookEveryMs);
    }, ms).unref();
  }
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
