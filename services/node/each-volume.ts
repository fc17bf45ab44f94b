import { Semaphore } from '../../lib/concurrency.ts';
import { type BlockstoreError, asError } from '../../lib/errors.ts';

const concurrency = 16;

/** Works on volumes, several at a time. Throws the first failure, when all work that began has ended. */
export async function eachVolume<T>(
  volumes: AsyncIterable<T> | Iterable<T>,
  work: (volume: T) => Promise<void>,
): Promise<void> {
  const semaphore = new Semaphore(concurrency);
  const running = new Set<Promise<void>>();
  const failures: BlockstoreError[] = [];
  try {
    for await (const volume of volumes) {
      const one = semaphore
        .run(() => work(volume))
        .catch((error: unknown) => void failures.push(asError(error)))
        .finally(() => running.delete(one));
      running.add(one);
      if (semaphore.freeSlots <= 0) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  const [failure] = failures;
  if (failure) throw failure;
}
