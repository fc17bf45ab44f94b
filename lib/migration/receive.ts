import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { readStorage, writeStorage } from '../devices/storage-streams.ts';
import { writeAnswer } from './answers.ts';
import { BadFrame, type Frame, FrameReader } from './frames.ts';
import { Digests, type Run, digestOf, pieceBytes, piecesOf } from './pieces.ts';
import type { ReceivingStorage } from './transport.ts';

export interface ReceiveOptions {
  signal: AbortSignal;
  /** Called with 0 to 100, for each pass. */
  progress: (percent: number) => void;
}

/**
 * Receives the data of a volume in one or more passes: writes what each has, compares what the storage has then, and answers. Throws
 * BadFrame, MigrationFailed, CommandError.
 */
export async function receiveData(
  processes: Processes,
  stream: Duplex,
  storage: ReceivingStorage,
  options: ReceiveOptions,
): Promise<void> {
  const receiving = new Receiving(processes, stream, storage, options);
  for (let isLast = false; !isLast; ) {
    isLast = await receiving.pass();
    writeAnswer(stream, { done: true });
  }
}

class Receiving {
  private readonly processes: Processes;
  private readonly frames: FrameReader;
  private readonly storage: ReceivingStorage;
  private readonly options: ReceiveOptions;
  private readonly digests: Digests;
  private isBlank: boolean;

  constructor(processes: Processes, stream: Duplex, storage: ReceivingStorage, options: ReceiveOptions) {
    this.processes = processes;
    this.frames = new FrameReader(stream, storage.sizeBytes);
    this.storage = storage;
    this.options = options;
    this.digests = new Digests(storage.sizeBytes);
    this.isBlank = storage.isBlank;
  }

  /** Returns whether it was the last one. */
  async pass(): Promise<boolean> {
    const { frames, digests, storage } = this;
    const runs: Run[] = [];
    let frame = await frames.next();
    for (let piece = 0; frame.kind !== 'end'; ) {
      if (frame.kind === 'same') {
        if (!digests.isKnown(piece)) throw new BadFrame(`no data of piece ${piece}`);
        piece += 1;
        frame = await frames.next();
        continue;
      }
      const written = await this.writeRun(piece, frame);
      runs.push({ first: piece, count: written.count });
      piece += written.count;
      frame = written.next;
    }
    this.isBlank = false;
    if (!digests.sum().equals(frame.checksum)) throw errors.copyDiffers(storage.volume);
    await this.compare(runs);
    return frame.isLast;
  }

  /** Writes the pieces of this frame and of those that follow. Returns how many they are, and the first frame that has none. */
  private async writeRun(first: number, begin: Frame): Promise<{ count: number; next: Frame }> {
    const { processes, frames, digests, storage, isBlank } = this;
    const { signal } = this.options;
    const writer = await writeStorage(processes, { ...storage, isBlank }, signal, first * pieceBytes);
    let next = begin;
    let count = 0;
    const data = async function* () {
      while (next.kind === 'data') {
        const hash = createHash('sha256');
        for await (const part of next.parts) {
          hash.update(part);
          yield part;
        }
        digests.note(first + count, hash.digest());
        count += 1;
        next = await frames.next();
      }
    };
    // Where the writer fails, its own error says more than that of the pipe.
    await Promise.all([
      writer.ended,
      pipeline(data, writer.stdin, { signal }).catch((error: unknown) => settle(writer.ended, error)),
    ]);
    return { count, next };
  }

  /** Throws MigrationFailed where the storage does not have what was written. */
  private async compare(runs: readonly Run[]): Promise<void> {
    const total = runs.reduce((sum, { count }) => sum + count, 0);
    let done = 0;
    for (const run of runs) {
      await this.compareRun(run, () => {
        done += 1;
        this.options.progress(Math.floor((100 * done) / total));
      });
    }
  }

  private async compareRun({ first, count }: Run, onPiece: () => void): Promise<void> {
    const { processes, storage, digests } = this;
    const { signal } = this.options;
    const end = Math.min((first + count) * pieceBytes, storage.sizeBytes);
    const reader = await readStorage(processes, { path: storage.path, sizeBytes: end }, signal, first * pieceBytes);
    let piece = first;
    const examine = async (chunks: AsyncIterable<Buffer>) => {
      for await (const found of piecesOf(chunks)) {
        if (!digests.has(piece, digestOf(found))) throw errors.copyDiffers(storage.volume);
        piece += 1;
        onPiece();
      }
    };
    await Promise.all([reader.ended, pipeline(reader.stdout, examine, { signal })]);
    if (piece !== first + count) throw errors.copyDiffers(storage.volume);
  }
}

/** Throws what the process ended with; where it ended well, or has not, the given error. */
async function settle(ended: Promise<void>, error: unknown): Promise<never> {
  await ended;
  throw error;
}
