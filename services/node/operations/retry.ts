import { retry } from '../../../lib/concurrency.ts';
import { type BlockstoreError, asError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';

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
 * out however long it takes. The one retry of an operation's step: drivers, targets and commands below it try once.
 */
export async function untilDone<T>(
  work: () => Promise<T>,
  options: { tries: number; signal: AbortSignal; log: Log; what: string },
): Promise<T> {
  const { tries, signal, log, what } = options;
  return retry(work, {
    tries: Infinity,
    signal,
    isRetryable: (thrown, attempt) => isRetryable(asError(thrown), attempt, tries),
    onRetry: (thrown, attempt) => {
      const { code, message: reason } = asError(thrown);
      log.debug(`${what} is tried again`, { attempt, code, reason });
    },
  });
}

function isRetryable(error: BlockstoreError, attempt: number, tries: number): boolean {
  if (redisCodes.has(error.code)) return true;
  if (finalCodes.has(error.code)) return false;
  return (error.kind === 'failed' || error.kind === 'conflict') && attempt < tries;
}
