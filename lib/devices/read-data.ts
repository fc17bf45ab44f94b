import { join } from 'node:path';
import { CommandError } from '../command-error.ts';
import type { Processes } from '../process.ts';
import { type Storage, isBlockDevice, readStorage } from './storage-streams.ts';

const script = join(import.meta.dirname, 'data-extents.pl');
const zeros = Buffer.alloc(2 ** 20);
/** Shorter holes are read: to start another reader takes as long. */
const leastHoleBytes = 16 * 2 ** 20;

/** A part of storage, in bytes. */
interface Extent {
  begin: number;
  end: number;
}

/**
 * Yields the data of storage, or those behind the first `offset` bytes, a multiple of a MiB. The long holes of a file are not read: they
 * come as zeros, in memory that is not to be changed. Fewer where the storage is shorter. Throws CommandError.
 */
export async function* readData(
  processes: Processes,
  storage: Storage,
  signal: AbortSignal,
  offset = 0,
): AsyncGenerator<Buffer> {
  const { path, sizeBytes } = storage;
  let at = offset;
  for (const { begin, end } of await dataExtents(processes, storage, signal, offset)) {
    yield* zerosBetween(at, begin);
    at = begin;
    const reader = await readStorage(processes, { path, sizeBytes: end }, signal, begin);
    reader.ended.catch(() => undefined); // it is thrown below, unless nobody reads on
    try {
      for await (const chunk of reader.stdout) {
        at += chunk.length;
        yield chunk;
      }
      await reader.ended;
    } finally {
      reader.stdout.destroy();
    }
    if (at < end) return;
  }
  yield* zerosBetween(at, sizeBytes);
}

export function* zerosBetween(begin: number, end: number): Generator<Buffer> {
  for (let at = begin; at < end; at += zeros.length) yield zeros.subarray(0, Math.min(zeros.length, end - at));
}

/** The parts that may have data, from `offset` on; each begins at a multiple of a MiB. */
async function dataExtents(
  processes: Processes,
  { path, sizeBytes }: Storage,
  signal: AbortSignal,
  offset: number,
): Promise<Extent[]> {
  const all = [{ begin: offset, end: sizeBytes }];
  if (sizeBytes - offset < leastHoleBytes || (await isBlockDevice(path))) return all;
  const text = await outputOf(processes, [script, path, String(sizeBytes), String(leastHoleBytes)], signal);
  if (text === undefined) return all;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [begin = 0, end = 0] = line.split(' ').map(Number);
      return { begin: Math.max(offset, begin - (begin % zeros.length)), end };
    })
    .filter(({ begin, end }) => begin < end);
}

/** Undefined on a machine without perl. */
async function outputOf(processes: Processes, args: string[], signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await processes.run('perl', args, { signal })).stdout;
  } catch (error) {
    if (error instanceof CommandError && error.failure.notFound) return undefined;
    throw error;
  }
}
