import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { dataIn } from './frames.ts';
import { readStorage, writeStorage } from '../devices/storage-streams.ts';
import type { Receiver } from './transport.ts';

/** Receives the data of a volume, writes them, and compares what the storage has then. Throws BadFrame, MigrationFailed, CommandError. */
export async function receiveData(
  processes: Processes,
  stream: Duplex,
  storage: Receiver,
  { signal, progress }: { signal: AbortSignal; progress: (percent: number) => void },
): Promise<void> {
  const expected = await writeData(processes, stream, storage, signal);
  const found = await checksumOf(processes, storage, { signal, progress });
  if (!found.equals(expected)) throw errors.copyDiffers(storage.volume);
}

/** Returns the checksum that the data have, which is also the one that the sender states. */
async function writeData(
  processes: Processes,
  stream: Duplex,
  storage: Receiver,
  signal: AbortSignal,
): Promise<Buffer> {
  const writer = await writeStorage(processes, storage, signal);
  const hash = createHash('sha256');
  let stated = Buffer.alloc(0);
  const data = async function* () {
    const frames = dataIn(stream, storage.sizeBytes);
    for (let next = await frames.next(); ; next = await frames.next()) {
      if (next.done === true) {
        stated = Buffer.from(next.value);
        return;
      }
      hash.update(next.value);
      yield next.value;
    }
  };
  // Where the writer fails, its own error says more than that of the pipe.
  await Promise.all([
    writer.ended,
    pipeline(data, writer.stdin, { signal }).catch((error: unknown) => settle(writer.ended, error)),
  ]);
  const checksum = hash.digest();
  if (!stated.equals(checksum)) throw errors.copyDiffers(storage.volume);
  return checksum;
}

/** Throws what the process ended with; where it ended well, or has not, the given error. */
async function settle(ended: Promise<void>, error: unknown): Promise<never> {
  await ended;
  throw error;
}

async function checksumOf(
  processes: Processes,
  storage: Receiver,
  { signal, progress }: { signal: AbortSignal; progress: (percent: number) => void },
): Promise<Buffer> {
  const reader = await readStorage(processes, storage, signal);
  const hash = createHash('sha256');
  let read = 0;
  const digest = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      read += chunk.length;
      progress(Math.floor((100 * read) / storage.sizeBytes));
    }
  };
  await Promise.all([reader.ended, pipeline(reader.stdout, digest, { signal })]);
  if (read !== storage.sizeBytes) throw errors.copyDiffers(storage.volume);
  return hash.digest();
}
