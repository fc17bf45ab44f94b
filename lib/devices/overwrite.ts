import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Processes } from '../process.ts';
import { piecesOf } from './pieces.ts';
import { type Storage, readStorage, startOnStorage } from './storage-streams.ts';

const script = join(import.meta.dirname, 'write-blocks.pl');

export interface OverwriteOptions {
  signal: AbortSignal;
  /** Called with the bytes that are done. */
  progress?: (bytes: number) => void;
}

const pieceBytes = 2 ** 20;
/** What is written at least: storage that copies or allocates before a write does so for no block that stays as it is. */
const blockBytes = 4096;

/**
 * Gives storage the data of other storage, of the size of `from`, in place of its own, and writes only what differs. What was written is
 * durable then. Returns whether both have the same data: they are read once more. Throws CommandError.
 */
export async function overwrite(
  processes: Processes,
  from: Storage,
  to: Storage,
  { signal, progress = () => {} }: OverwriteOptions,
): Promise<boolean> {
  const { sizeBytes } = from;
  const reader = await readStorage(processes, from, signal);
  const digest = createHash('sha256');
  async function* source(): AsyncGenerator<Buffer> {
    for await (const piece of piecesOf(reader.stdout, pieceBytes)) {
      digest.update(piece);
      yield piece;
    }
    await reader.ended;
  }
  try {
    await writeDiffering(
      processes,
      source(),
      { ...to, sizeBytes },
      {
        signal,
        progress: (bytes) => progress(Math.floor(bytes / 2)),
      },
    );
  } finally {
    reader.stdout.destroy();
  }
  const now = createHash('sha256');
  const written = await readStorage(processes, { ...to, sizeBytes }, signal);
  let read = 0;
  for await (const chunk of written.stdout) {
    now.update(chunk);
    read += chunk.length;
    progress(Math.floor((sizeBytes + read) / 2));
  }
  await written.ended;
  return now.digest('hex') === digest.digest('hex');
}

/** Makes everything behind the first `offset` bytes of storage zeros. Throws CommandError. */
export async function zeroFrom(
  processes: Processes,
  storage: Storage,
  offset: number,
  options: OverwriteOptions,
): Promise<void> {
  const zeros = Buffer.alloc(pieceBytes);
  async function* source(): AsyncGenerator<Buffer> {
    for (let at = offset; at < storage.sizeBytes; at += pieceBytes) {
      yield zeros.subarray(0, Math.min(pieceBytes, storage.sizeBytes - at));
    }
  }
  await writeDiffering(processes, source(), storage, options, offset);
}

/** `source`: the data of the storage from `offset` on, in pieces of one length. */
async function writeDiffering(
  processes: Processes,
  source: AsyncGenerator<Buffer>,
  storage: Storage,
  { signal, progress = () => {} }: OverwriteOptions,
  offset = 0,
): Promise<void> {
  const reader = await readStorage(processes, storage, signal, offset);
  async function* blocks(): AsyncGenerator<Buffer> {
    let at = offset;
    for await (const present of piecesOf(reader.stdout, pieceBytes)) {
      const { value: expected } = await source.next();
      if (expected === undefined) break;
      yield* differing(expected, present, at);
      at += expected.length;
      progress(at);
    }
    await reader.ended;
    if (at !== storage.sizeBytes) throw new Error(`${storage.path} or its source ended after ${at} bytes`);
  }
  try {
    const writer = await startOnStorage(processes, storage, { signal, command: 'perl', args: [script, storage.path] });
    await Promise.all([writer.ended, pipeline(blocks(), writer.stdin, { signal })]);
  } finally {
    reader.stdout.destroy();
    await source.return(undefined);
  }
}

/** Yields the parts of a piece that differ, each behind its offset and length. */
function* differing(expected: Buffer, present: Buffer, offset: number): Generator<Buffer> {
  if (expected.equals(present)) return;
  let from: number | undefined;
  for (let at = 0; ; at += blockBytes) {
    const isOver = at >= expected.length;
    const end = Math.min(at + blockBytes, expected.length);
    const isSame = isOver || expected.subarray(at, end).equals(present.subarray(at, end));
    if (!isSame) from ??= at;
    if (isSame && from !== undefined) {
      const length = Math.min(at, expected.length) - from;
      const header = Buffer.alloc(12);
      header.writeBigUInt64BE(BigInt(offset + from));
      header.writeUInt32BE(length, 8);
      yield header;
      yield expected.subarray(from, from + length);
      from = undefined;
    }
    if (isOver) return;
  }
}
