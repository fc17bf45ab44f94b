import { asError } from '../../../lib/errors.ts';
import { type VolumeState, isTransitional } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { until } from '../../support/until.ts';

/** Errors that an operation can end with during faults: unavailable, not finished, not replicated. */
const expectedCodes = new Set([
  'RedisUnreachable',
  'NotReplicated',
  'NotFinished',
  'NodeDown',
  'NoNodeUp',
  'BackendUnavailable',
]);

export function isExpected(code: string): boolean {
  return expectedCodes.has(code);
}

/** Returns the code of a failure, or undefined; other errors with their full text. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    const { code, message } = asError(thrown);
    return code === 'Internal' ? `Internal (${message})` : code;
  }
}

/** Returns the record once its operation has ended, or undefined without a record. Throws when that takes too long. */
export async function settledRecord(store: Store, id: string, timeoutMs: number): Promise<VolumeState | undefined> {
  const { record } = await until(
    async () => {
      const found = await volumesOf(store).find(id);
      return (!found || !isTransitional(found)) && { record: found };
    },
    `nothing is under way for volume ${id}`,
    timeoutMs,
  );
  return record;
}
