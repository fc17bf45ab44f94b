import { schedule } from 'node-cron';
import type { Log } from '../../lib/log.ts';

/** Calls `tick` every second, one at a time, until what it returns is destroyed. */
export type EverySecond = (tick: () => Promise<void>, log: Log) => { destroy(): Promise<void> | void };

const lookEveryMs = 200;
const stepMs = 500;

/**
 * By node-cron, which counts by the date: set back by an hour it would wait that hour, set on by a day it would go through every
 * second of it. So its task is made anew whenever the date moves against the clock that nobody sets.
 */
export const everySecond: EverySecond = (tick, log) => {
  let running = false;
  const alone = async () => {
    if (running) return;
    running = true;
    try {
      await tick();
    } finally {
      running = false;
    }
  };
  const begin = () => schedule('* * * * * *', alone, { timezone: 'UTC', logger: quiet(log) });
  let task = begin();
  let offset = dateOffset();
  const watch = setInterval(() => {
    const before = offset;
    offset = dateOffset();
    if (Math.abs(offset - before) < stepMs) return;
    log.warn('system clock changed', { byMs: Math.round(offset - before) });
    void task.destroy();
    task = begin();
  }, lookEveryMs).unref();
  return {
    destroy: async () => {
      clearInterval(watch);
      await task.destroy();
    },
  };
};

function dateOffset(): number {
  return Date.now() - performance.now();
}

/** node-cron warns, a line per second, of seconds that a slow report or a paused machine skips, which is intended. */
function quiet(log: Log) {
  const nothing = () => {};
  const error = (message: string | Error) =>
    log.error(`node-cron: ${message instanceof Error ? message.message : message}`);
  return { info: nothing, warn: nothing, error, debug: nothing };
}
