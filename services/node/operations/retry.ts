import { setTimeout as pause } from 'node:timers/promises';
import { type BlockstoreError, asError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';

const longestPauseMs = 30_000;
/** Redis takes no changes at present. */
const redisCodes = new Set(['RedisUnreachable', 'RedisRefuses', 'NotReplicated']);
/** Trying again cannot help, although their kind says nothing of the sort. */
const finalCodes = new Set([
  'Fenced',
  'NotLocal',
  'WrongStatus',
  'StorageMissing',
  'StorageKept',
  'CommandNotFound',
  'NoVolumeGroup',
]);

/**
 * Does the work until it succeeds, fails for good, has failed `tries` times, or the signal aborts. Redis being away is waited
 * out however long it takes. Between attempts tries² seconds, as the 2010 BlockStore has it.
 */
export async function untilDone<T>(
  work: () => Promise<T>,
  options: { tries: number; signal: AbortSignal; log: Log; what: string },
): Promise<T> {
  const { tries, signal, log, what } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = asError(thrown);
      if (signal.aborted || !mayPass(error, attempt, tries)) throw error;
      log.debug(`${what} is tried again`, { attempt, code: error.code, reason: error.message });
      await pause(Math.min(attempt ** 2 * 1000, longestPauseMs), undefined, { signal });
    }
  }
}

function mayPass(error: BlockstoreError, attempt: number, tries: number): boolean {
  if (redisCodes.has(error.code)) return true;
  if (finalCodes.has(error.code)) return false;
  return (error.kind === 'failed' || error.kind === 'conflict') && attempt < tries;
}
