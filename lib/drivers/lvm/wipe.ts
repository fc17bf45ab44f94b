import { setTimeout as pause } from 'node:timers/promises';
import { CommandError } from '../../command-error.ts';
import type { Processes, RunOptions } from '../../process.ts';
import type { DeleteOptions } from '../driver.ts';

/** How old data is erased. `discard` requires a device whose discarded blocks read as zeros; one that discards none is overwritten. */
export type VolumeClear = 'zero' | 'discard' | 'none';

export interface WipeOptions extends DeleteOptions {
  clear: Exclude<VolumeClear, 'none'>;
  /** Maximum MiB per second; 0: no limit. */
  miBps: number;
}

const miB = 2 ** 20;
const largestChunk = 256 * miB;
const progressEveryMs = 500;

/** Where file systems, partition tables, RAID and LVM have their signatures: at the start and at the end of a device. */
const signatureBytes = miB;

/** Rethrown when the device is open elsewhere: nothing was written. */
export function isDeviceBusy(error: unknown): boolean {
  return error instanceof CommandError && /resource busy/i.test(error.failure.stderr);
}

/**
 * Overwrites a whole block device and syncs the zeros to the disk, so that a power loss cannot keep the removal of the LV and
 * lose the zeros. Can be restarted at any time.
 *
 * The kernel writes the zeros (blkdiscard --zeroout). This bypasses the page cache, moves no data through this process, is
 * offloaded to devices that support it, and is refused while the device is mounted. Chunks make it possible to throttle,
 * cancel and report progress.
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
  let reportedAt = performance.now();
  let zeroes = clear === 'zero';
  for (let offset = 0; offset < sizeBytes; offset += chunk) {
    signal?.throwIfAborted();
    const length = Math.min(chunk, sizeBytes - offset);
    const began = performance.now();
    const place = ['--offset', String(offset), '--length', String(length), device];
    if (!zeroes) zeroes = !(await discard(processes, place, run));
    if (zeroes) await processes.run('blkdiscard', ['--zeroout', ...place], run);
    const now = performance.now();
    if (progress && now - reportedAt >= progressEveryMs) {
      reportedAt = now;
      progress(Math.floor((100 * (offset + length)) / sizeBytes));
    }
    const due = miBps === 0 ? 0 : (length / miB / miBps) * 1000;
    if (now - began < due) await pause(due - (now - began), undefined, signal ? { signal } : {});
  }
  await processes.run('sync', [device], run);
  progress?.(100);
}

/** Returns false where the device discards nothing, like most hard disks: nothing was erased. */
async function discard(processes: Processes, place: readonly string[], run: RunOptions): Promise<boolean> {
  try {
    await processes.run('blkdiscard', place, run);
    return true;
  } catch (error) {
    if (error instanceof CommandError && /not supported/i.test(error.failure.stderr)) return false;
    throw error;
  }
}

/** Zeros the places of signatures, so that no host takes the next owner's volume for a part of the last one's array. */
export async function wipeSignatures(
  processes: Processes,
  device: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const run = { asRoot: true, timeoutMs: 60_000, ...(signal ? { signal } : {}) };
  for (const offset of [0, Math.max(0, sizeBytes - signatureBytes)]) {
    const place = ['--offset', String(offset), '--length', String(Math.min(signatureBytes, sizeBytes))];
    await processes.run('blkdiscard', ['--zeroout', ...place, device], run);
  }
  await processes.run('sync', [device], run);
}
