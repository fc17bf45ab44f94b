import { stat } from 'node:fs/promises';
import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import type { ImageReader } from './reader.ts';

/** A slower copy is taken for one that hangs. */
const slowestBytesPerMs = 2 ** 20 / 1000;
const shortestLimitMs = 600_000;

export interface CopyTarget {
  /** A block device or a file that exists, as large as the image or larger. */
  path: string;
  sizeBytes: number;
  /** Whether all of it reads as zeros: those of the image are not written then. */
  isBlank: boolean;
}

export interface CopyOptions {
  signal?: AbortSignal;
  /** Called with 0 to 100. */
  progress?: (percent: number) => void;
}

/**
 * Copies the data of an image to the beginning of a volume, which then is durable; holes stay holes where the storage can have them.
 * `name` is the image's, for errors. Throws ImageTooLarge before anything is written, ImageRefused, CommandNotFound.
 */
export async function copyImage(
  processes: Processes,
  { name, reader }: { name: string; reader: ImageReader },
  { path, sizeBytes, isBlank }: CopyTarget,
  { signal, progress }: CopyOptions = {},
): Promise<void> {
  if (reader.sizeBytes > sizeBytes) throw errors.imageTooLarge(name, reader.sizeBytes, sizeBytes);
  // Past the page cache where the kernel can, for it would drop what others need; in any case flushed at the end.
  const cache = (await stat(path)).isBlockDevice() ? 'none' : 'writeback';
  const written = ['-n', '-t', cache, ...(isBlank ? ['--target-is-zero'] : [])];
  const args = ['convert', '-p', ...written, '--image-opts', reader.source, '-O', 'raw', path];
  try {
    await processes.run('qemu-img', args, {
      asRoot: true,
      timeoutMs: copyLimitMs(sizeBytes),
      ...(signal ? { signal } : {}),
      onOutput: (text) => {
        const percent = percentIn(text);
        if (percent !== undefined) progress?.(percent);
      },
    });
  } catch (error) {
    if (!(error instanceof CommandError) || error.failure.cancelled) throw error;
    if (error.failure.notFound) throw errors.commandMissing('qemu-img', 'qemu-utils');
    // A read that fails is the image's fault: its server knows more.
    const reason = /reading|Input\/output error/.test(error.failure.stderr) ? reader.said() : '';
    throw reason === '' ? error : errors.imageRefused(name, reason);
  }
}

/** Returns how long a copy of so many bytes may take, in milliseconds. */
export function copyLimitMs(bytes: number): number {
  return shortestLimitMs + Math.ceil(bytes / slowestBytesPerMs);
}

/** qemu-img prints "    (12.50/100%)" with a carriage return. */
export function percentIn(text: string): number | undefined {
  const percent = /.*\((\d+)\.\d+\/100%\)/s.exec(text)?.[1];
  return percent === undefined ? undefined : Number(percent);
}
