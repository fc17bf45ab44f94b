import { setTimeout as pause } from 'node:timers/promises';

/**
 * Polls until the condition holds or has a value, and returns that value. A condition that throws does not hold yet. One that takes
 * long is asked less often: at most half of the time goes into asking.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  ms = 10_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + ms;
  let last = '';
  for (;;) {
    const begin = performance.now();
    try {
      const value = await condition();
      if (isThere(value)) return value;
      last = '';
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = `; last: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() >= deadline) throw new Error(`not within ${ms} ms: ${what}${last}`);
    await pause(Math.max(Math.min(50, ms), performance.now() - begin));
  }
}

/** Thrown by a condition that can no longer come true: ends the polling at once. */
export class Hopeless extends Error {}

function isThere<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== false && value !== null && value !== undefined;
}
