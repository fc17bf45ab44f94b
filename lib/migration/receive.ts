import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { readData } from '../devices/read-data.ts';
import { writeStorage } from '../devices/storage-streams.ts';
import { writeAnswer } from './answers.ts';
import { BadFrame, type Frame, FrameReader } from './frames.ts';
import { Digests, type Run, addRun, digestOf, pieceBytes, piecesOf, zerosOf } from './pieces.ts';
import type { ReceivingStorage } from './transport.ts';

/** Pieces of zeros that are left out between two pieces, at which a writer ends: to start another one costs less. */
const longestGap = 16;

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
      const received = this.isBlankAt(frame) ? await this.skipZeros(piece, frame) : await this.writeRun(piece, frame);
      addRun(runs, { first: piece, count: received.count });
      piece += received.count;
      frame = received.next;
    }
    this.isBlank = false;
    if (!digests.sum().equals(frame.checksum)) throw errors.copyDiffers(storage.volume);
    await this.compare(runs);
    return frame.isLast;
  }

  /** Whether the storage reads as what the frame has already. */
  private isBlankAt({ kind }: Frame): boolean {
    return kind === 'zeros' && this.isBlank;
  }

  /** The same of this frame and of those that follow, at most so many. Returns how many they are, and the first other frame. */
  private async skipZeros(first: number, begin: Frame, max = Infinity): Promise<{ count: number; next: Frame }> {
    let next = begin;
    let count = 0;
    for (; next.kind === 'zeros' && count < max; count += 1) {
      this.digests.note(first + count, digestOf(zerosOf(next.length)));
      next = await this.frames.next();
    }
    return { count, next };
  }

  /** Writes the pieces of this frame and of those that follow. Returns how many they are, and the first frame that has none. */
  private async writeRun(first: number, begin: Frame): Promise<{ count: number; next: Frame }> {
    const { processes, frames, digests, storage, isBlank } = this;
    const { signal } = this.options;
    const writer = await writeStorage(processes, { ...storage, isBlank }, signal, first * pieceBytes);
    let next = begin;
    let count = 0;
    const data = async function* (this: Receiving) {
      while (next.kind === 'data' || next.kind === 'zeros') {
        if (this.isBlankAt(next)) {
          const zeros = await this.skipZeros(first + count, next, longestGap);
          ({ next } = zeros);
          count += zeros.count;
          if (zeros.count === longestGap || next.kind !== 'data') return;
          for (let piece = 0; piece < zeros.count; piece += 1) yield zerosOf(pieceBytes);
          continue;
        }
        const hash = createHash('sha256');
        for await (const part of next.kind === 'data' ? next.parts : [zerosOf(next.length)]) {
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
      pipeline(data.bind(this), writer.stdin, { signal }).catch((error: unknown) => settle(writer.ended, error)),
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
    const written = readData(processes, { path: storage.path, sizeBytes: end }, signal, first * pieceBytes);
    let piece = first;
    for await (const found of piecesOf(written)) {
      if (!digests.has(piece, digestOf(found))) throw errors.copyDiffers(storage.volume);
      piece += 1;
      onPiece();
    }
    if (piece !== first + count) throw errors.copyDiffers(storage.volume);
  }
}

/** Throws what the process ended with; where it ended well, or has not, the given error. */
async function settle(ended: Promise<void>, error: unknown): Promise<never> {
  await ended;
  throw error;
}
