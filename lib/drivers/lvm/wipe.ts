import { setTimeout as pause } from 'node:timers/promises';
import { CommandError } from '../../command-error.ts';
import type { Processes } from '../../process.ts';
import type { DeleteOptions } from '../driver.ts';

/** What becomes of old data. `discard` is for devices of which the operator knows that discarded blocks read as zeros. */
export type VolumeClear = 'zero' | 'discard' | 'none';

export interface WipeOptions extends DeleteOptions {
  clear: Exclude<VolumeClear, 'none'>;
  /** The most MiB written in a second; 0: no limit. */
  miBps: number;
}

const miB = 2 ** 20;
const largestChunk = 256 * miB;
const progressEveryMs = 500;

/** Thrown through when the device is open elsewhere: nothing was written. */
export function isDeviceBusy(error: unknown): boolean {
  return error instanceof CommandError && /resource busy/i.test(error.failure.stderr);
}

/**
 * Overwrites a block device from its beginning to its end, and makes sure that the zeros are on the disk: after a power
 * loss the removal of the LV must not be there without them. May be begun again at any time.
 *
 * The kernel is asked to write the zeros (blkdiscard --zeroout). Unlike a write of ours that goes through no page cache,
 * moves no data through this process, is passed to devices that can do it themselves, and is refused while the device is
 * mounted. In chunks, so that it can be throttled, cancelled, and told of.
 */
export async function wipe(
  processes: Processes,
  device: string,
  sizeBytes: number,
  options: WipeOptions,
): Promise<void> {
  const { clear, miBps, signal, progress } = options;
  const run = { asRoot: true, timeoutMs: 600_000, ...(signal ? { signal } : {}) };
  const chunk = miBps === 0 ? largestChunk : Math.min(largestChunk, miBps * miB);
  let told = performance.now();
  for (let offset = 0; offset < sizeBytes; offset += chunk) {
    signal?.throwIfAborted();
    const length = Math.min(chunk, sizeBytes - offset);
    const began = performance.now();
    const place = ['--offset', String(offset), '--length', String(length), device];
    await processes.run('blkdiscard', clear === 'zero' ? ['--zeroout', ...place] : place, run);
    const now = performance.now();
    if (progress && now - told >= progressEveryMs) {
      told = now;
      progress(Math.floor((100 * (offset + length)) / sizeBytes));
    }
    const due = miBps === 0 ? 0 : (length / miB / miBps) * 1000;
    if (now - began < due) await pause(due - (now - began), undefined, signal ? { signal } : {});
  }
  await processes.run('sync', [device], run);
  progress?.(100);
}
