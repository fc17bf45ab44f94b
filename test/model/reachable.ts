import { setTimeout as pause } from 'node:timers/promises';
import { BlockstoreError } from '../../lib/errors.ts';

/** Whether a connection to Redis broke meanwhile, as some do on purpose. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof BlockstoreError && error.code === 'RedisUnreachable';
}

/** Does once more what a connection that broke has prevented. */
export async function whenReachable<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      await pause(10); // a connection that is not there refuses at once
    }
  }
}
