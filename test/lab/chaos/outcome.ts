import { asError } from '../../../lib/errors.ts';
import { type VolumeState, isTransitional } from '../../../lib/models/volume-state.ts';
import { Volume } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { until } from '../../support/until.ts';

/** What an operation may end with while things break: what is away, what has not ended yet, what one Redis has alone. */
const expectedCodes = new Set(['RedisUnreachable', 'NotReplicated', 'NotFinished', 'NodeDown', 'NoNodeUp']);

export function isExpected(code: string): boolean {
  return expectedCodes.has(code);
}

/** The code that work failed with, or undefined. What is no error of the catalogue is told whole. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    const { code, message } = asError(thrown);
    return code === 'Internal' ? `Internal (${message})` : code;
  }
}

/** The record once nothing is under way for it, or undefined where it has none. Throws when that takes too long. */
export async function settledRecord(store: Store, id: string, timeoutMs: number): Promise<VolumeState | undefined> {
  const { record } = await until(
    async () => {
      const found = await Volume.records(store).find(id);
      return (!found || !isTransitional(found)) && { record: found };
    },
    `nothing is under way for volume ${id}`,
    timeoutMs,
  );
  return record;
}
