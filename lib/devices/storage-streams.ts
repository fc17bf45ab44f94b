import { stat } from 'node:fs/promises';
import type { PipedProcess, Processes } from '../process.ts';

/** A slower copy is taken for one that hangs. */
const slowestBytesPerMs = 2 ** 20 / 1000;
const shortestLimitMs = 600_000;

/** The storage of a volume: a block device or a file. */
export interface Storage {
  path: string;
  sizeBytes: number;
}

/** Reads all of it: of a block device what the disk has, past the page cache. */
export async function readStorage(
  processes: Processes,
  { path, sizeBytes }: Storage,
  signal: AbortSignal,
): Promise<PipedProcess> {
  const isDevice = await isBlockDevice(path);
  const flags = ['count_bytes', 'fullblock', ...(isDevice ? ['direct'] : [])];
  const args = [`if=${path}`, 'bs=1M', `count=${sizeBytes}`, `iflag=${flags.join(',')}`, 'status=none'];
  return processes.pipe('dd', args, { asRoot: isDevice, signal, timeoutMs: limitMs(sizeBytes) });
}

/** Writes it from its beginning; what was written is durable once the process has ended. `isBlank`: zeros are left out. */
export async function writeStorage(
  processes: Processes,
  { path, sizeBytes, isBlank }: Storage & { isBlank: boolean },
  signal: AbortSignal,
): Promise<PipedProcess> {
  const isDevice = await isBlockDevice(path);
  // nocreat: where the device is gone, a file in its place would take the data.
  const conversions = ['notrunc', 'nocreat', 'fsync', ...(isBlank ? ['sparse'] : [])];
  const direct = isDevice ? ['oflag=direct'] : [];
  const args = [`of=${path}`, 'bs=1M', 'iflag=fullblock', ...direct, `conv=${conversions.join(',')}`, 'status=none'];
  return processes.pipe('dd', args, { asRoot: isDevice, signal, timeoutMs: limitMs(sizeBytes) });
}

async function isBlockDevice(path: string): Promise<boolean> {
  return (await stat(path)).isBlockDevice();
}

function limitMs(bytes: number): number {
  return shortestLimitMs + Math.ceil(bytes / slowestBytesPerMs);
}
