import { retry } from '../../../lib/concurrency.ts';
import { type BlockstoreError, asError } from '../../../lib/errors.ts';

/** Redis accepts no changes at present. */
const redisCodes: ReadonlySet<string> = new Set(['RedisUnreachable', 'RedisRefuses', 'RedisDenied', 'NotReplicated']);
/** A retry can help, although the kind of the error does not say so: LVM's own process ended, and there is a new one; or a service is restarted. */
const retryable: ReadonlySet<string> = new Set(['LvmInterrupted', 'BackupStoreUnavailable']);
/** A retry cannot help, although the kind of the error does not say so. */
const nonRetryable: ReadonlySet<string> = new Set([
  'Fenced',
  'TaskLost',
  'NotLocal',
  'WrongStatus',
  'StorageMissing',
  'StorageKept',
  'VolumeExists',
  'CommandNotFound',
  'NoVolumeGroup',
  'AddressInUse',
  'AddressChanged',
  'VolumeStillOpen',
  'PauseTooLong',
  'MigrationCancelled',
  'SnapshotRoomTooSmall',
  'StallTooLong',
]);

/**
 * Does the work until it succeeds, fails permanently, has failed `tries` times, or the signal aborts. While Redis accepts no changes it is
 * retried without a bound. The one retry of an operation's step: drivers, targets and commands below it try once.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  options: { tries: number; signal: AbortSignal; onRetry: (error: BlockstoreError, attempt: number) => void },
): Promise<T> {
  const { tries, signal, onRetry } = options;
  return retry(work, {
    tries: Infinity,
    signal,
    isRetryable: (thrown, attempt) => isRetryable(asError(thrown), attempt, tries),
    onRetry: (thrown, attempt) => onRetry(asError(thrown), attempt),
  });
}

function isRetryable(error: BlockstoreError, attempt: number, tries: number): boolean {
  if (redisCodes.has(error.code)) return true;
  if (nonRetryable.has(error.code)) return false;
  const mayEnd = error.kind === 'failed' || error.kind === 'conflict' || retryable.has(error.code);
  return mayEnd && attempt < tries;
}
