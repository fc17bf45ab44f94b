import { syncBuiltinESMExports } from 'node:module';
import FakeTimers from '@sinonjs/fake-timers';
import { VirtualProcess } from './virtual-process.ts';

const epoch = Date.UTC(2030, 0, 1);
const realImmediate = setImmediate;
const real = { setTimeout, clearTimeout };

/**
 * Time that passes only when everything that runs waits for it. While it is there, every timer of this process, Date and
 * `performance.now()` are its own; timers are of the virtual process that set them.
 */
export class VirtualTime {
  private readonly clock = FakeTimers.install({
    now: epoch,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  private readonly begin = performance.now();

  constructor() {
    const { clock } = this;
    const plainSet = clock.setTimeout;
    const plainClear = clock.clearTimeout;
    const cleared = new WeakSet<object>();
    Object.assign(clock, {
      setTimeout: (work: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
        const owner = VirtualProcess.current;
        if (!owner) return plainSet(work, ms, ...args);
        const handle = plainSet(() => {
          // A paused process may still clear it when it goes on.
          owner.run(() => {
            if (!cleared.has(Object(handle))) work(...args);
          });
        }, ms);
        return handle;
      },
      clearTimeout: (handle: Parameters<typeof plainClear>[0]) => {
        if (typeof handle === 'object' && handle !== null) cleared.add(handle);
        plainClear(handle);
      },
    });
    syncBuiltinESMExports();
  }

  /** Milliseconds since the beginning, whatever was done to the date. */
  get now(): number {
    return Math.round(performance.now() - this.begin);
  }

  /** Somebody sets the clock: the date jumps, timers do not. */
  jump(ms: number): void {
    this.clock.setSystemTime(Date.now() + ms);
  }

  /** Lets time pass until the end is there or `enough` holds; everything else runs meanwhile. */
  async pass(ms: number, enough: () => boolean = () => false): Promise<void> {
    const end = this.now + ms;
    setTimeout(() => {}, ms);
    await settled();
    while (this.now < end && !enough()) {
      this.clock.next();
      await settled();
    }
  }

  /** What runs now ends, or waits for time that does not pass: no timer of it is left to the real clock. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round += 1) await settled();
  }

  end(): void {
    this.clock.uninstall();
    Object.assign(globalThis, real); // it does not know its own any more
    syncBuiltinESMExports();
  }
}

/** Everything that can run without time passing has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => realImmediate(() => resolve()));
}
