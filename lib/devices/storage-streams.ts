import { stat } from 'node:fs/promises';
import type { PipedProcess, Processes } from '../process.ts';

const MiB = 2 ** 20;
/** A slower copy is taken for one that hangs. */
const slowestBytesPerMs = 2 ** 20 / 1000;
const shortestLimitMs = 600_000;
/** Where reads past the page cache can begin, on every disk. */
const directBytes = 4096;

/** The storage of a volume: a block device or a file. */
export interface Storage {
  path: string;
  sizeBytes: number;
}

/** Reads all of it, or what is behind the first `offset` bytes: of a block device what the disk has, past the page cache. */
export async function readStorage(
  processes: Processes,
  { path, sizeBytes }: Storage,
  signal: AbortSignal,
  offset = 0,
): Promise<PipedProcess> {
  const isDevice = await isBlockDevice(path);
  const isDirect = isDevice && offset % directBytes === 0;
  const flags = ['count_bytes', 'fullblock', ...(isDirect ? ['direct'] : []), ...(offset > 0 ? ['skip_bytes'] : [])];
  const skip = offset > 0 ? [`skip=${offset}`] : [];
  const count = `count=${sizeBytes - offset}`;
  const args = [`if=${path}`, 'bs=1M', count, ...skip, `iflag=${flags.join(',')}`, 'status=none'];
  const reader = processes.pipe('dd', args, { asRoot: isDevice, signal, timeoutMs: limitMs(sizeBytes) });
  reader.stdout.pause(); // nothing is lost until somebody reads
  return reader;
}

/** Writes it from its beginning, or from `offset`, a multiple of a MiB; what was written is durable once the process has ended. `isBlank`: zeros are left out. */
export async function writeStorage(
  processes: Processes,
  { path, sizeBytes, isBlank }: Storage & { isBlank: boolean },
  signal: AbortSignal,
  offset = 0,
): Promise<PipedProcess> {
  const isDevice = await isBlockDevice(path);
  // nocreat: where the device is gone, a file in its place would take the data.
  const conversions = ['notrunc', 'nocreat', 'fsync', ...(isBlank ? ['sparse'] : [])];
  const direct = isDevice ? ['oflag=direct'] : [];
  const seek = offset > 0 ? [`seek=${offset / MiB}`] : [];
  const conversion = `conv=${conversions.join(',')}`;
  const args = [`of=${path}`, 'bs=1M', 'iflag=fullblock', ...direct, ...seek, conversion, 'status=none'];
  return processes.pipe('dd', args, { asRoot: isDevice, signal, timeoutMs: limitMs(sizeBytes) });
}

/** Starts a command that writes to it. */
export async function startOnStorage(
  processes: Processes,
  { path, sizeBytes }: Storage,
  { command, args, signal }: { command: string; args: readonly string[]; signal: AbortSignal },
): Promise<PipedProcess> {
  return processes.pipe(command, args, { asRoot: await isBlockDevice(path), signal, timeoutMs: limitMs(sizeBytes) });
}

export async function isBlockDevice(path: string): Promise<boolean> {
  return (await stat(path)).isBlockDevice();
}

function limitMs(bytes: number): number {
  return shortestLimitMs + Math.ceil(bytes / slowestBytesPerMs);
}
