import { pollUntil } from '../../lib/concurrency.ts';

/** Polls until the condition holds or has a value, and returns that value. A condition that throws does not hold yet. */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  ms = 120_000,
): Promise<Exclude<T, false | null | undefined>> {
  let last = '';
  const ask = async (): Promise<T | undefined> => {
    last = '';
    try {
      return await condition();
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = `; last: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  };
  const value = await pollUntil(ask, { deadlineMs: ms, intervalMs: Math.min(50, ms) });
  if (value === undefined) throw new Error(`not within ${ms} ms: ${what}${last}`);
  return value;
}

/** Thrown by a condition that can no longer come true: ends the polling at once. */
export class Hopeless extends Error {}
