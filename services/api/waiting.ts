import { asError } from '../../lib/errors.ts';
import type { Context } from './call.ts';

/** Returns how long a call waits for a node. */
export function waiting({ flags }: Pick<Context, 'flags'>): { deadlineMs: number } {
  return { deadlineMs: flags.api_timeout * 1000 };
}

/** Returns how long a call waits for its turn, whose end it does not wait for. */
export function awaitingTurn({ flags }: Pick<Context, 'flags'>): { turnMs: number } {
  return { turnMs: flags.api_timeout * 500 };
}

/** Waits for work that is accepted once it has begun: what takes longer goes on in the background. Throws what it throws before that. */
export async function begun(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (asError(error).code !== 'NotFinished') throw error;
  }
}
