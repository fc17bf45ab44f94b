import { setTimeout as pause } from 'node:timers/promises';

/** Asks with growing pauses, first at once, until the answer is yes or the time is over. */
export async function pollWithin(ms: number, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (let wait = 5; ; wait = Math.min(wait * 1.4, 50)) {
    if (await isSo()) return true;
    if (performance.now() >= deadline) return false;
    await pause(wait);
  }
}
