import type { Processes } from '../../process.ts';
import type { CopyOptions } from '../snapshots.ts';

const chunkBytes = 256 * 2 ** 20;
const progressEveryMs = 500;

/**
 * Copies the beginning of a block device to another one and syncs it to the disk. Every block is written, also zeros: the new device can
 * have old data in their place. Past the page cache, in chunks, so that it can be cancelled and reports its progress.
 */
export async function copyData(
  processes: Processes,
  from: string,
  to: string,
  sizeBytes: number,
  { signal, progress }: Pick<CopyOptions, 'signal' | 'progress'>,
): Promise<void> {
  const run = { asRoot: true, timeoutMs: 600_000, ...(signal ? { signal } : {}) };
  let reported = performance.now();
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    signal?.throwIfAborted();
    const length = Math.min(chunkBytes, sizeBytes - offset);
    const place = [`skip=${offset}`, `seek=${offset}`, `count=${length}`];
    const how = ['bs=4M', 'iflag=direct,fullblock,skip_bytes,count_bytes', 'oflag=direct,seek_bytes'];
    // nocreat: where the device is gone, a file in its place would take the data.
    await processes.run('dd', [`if=${from}`, `of=${to}`, ...how, 'conv=notrunc,nocreat', 'status=none', ...place], run);
    const now = performance.now();
    if (progress && now - reported >= progressEveryMs) {
      reported = now;
      progress(Math.floor((100 * (offset + length)) / sizeBytes));
    }
  }
  await processes.run('sync', [to], run);
  progress?.(100);
}
