import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { readData, zerosBetween } from '../devices/read-data.ts';
import { BlockstoreError, fromFault } from '../errors.ts';
import type { Processes } from '../process.ts';
import type { Answer } from './answers.ts';
import { endFrame, frameOf, sameFrame } from './frames.ts';
import { type Digests, digestOf, piecesOf } from './pieces.ts';
import type { MigratedStorage } from './transport.ts';

/** How much of the progress is the transfer's; the rest is the comparison's. */
const sentPercent = 60;
/** How long the reason of a broken connection is waited for. */
const reasonMs = 2000;

/** The data of a volume on their way. */
export interface Sending {
  processes: Processes;
  stream: Duplex;
  storage: MigratedStorage;
  answers: AsyncIterator<Answer>;
  /** Of what the destination has. */
  digests: Digests;
}

interface PassOptions {
  signal: AbortSignal;
  /** Called with 0 to 100. */
  progress: (percent: number) => void;
  /** Of data, without zeros; 0 = as fast as possible. */
  bytesPerS: number;
  isLast: boolean;
}

/** What a pass has sent, zeros included, and how long it took, without the time that it waited for the rate. */
export interface Pass {
  sentBytes: number;
  netMs: number;
}

/** Sends the pieces that the destination does not have, and waits for the comparison. Throws what the other node reports. */
export async function sendPass(sending: Sending, options: PassOptions): Promise<Pass> {
  const { signal, progress } = options;
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const began = performance.now();
  const compared = followAnswers(sending.answers, progress);
  try {
    const sent = sendAll(sending, { ...options, signal: either });
    await Promise.race([sent, compared]);
    const { sentBytes, waitedMs } = await sent;
    await compared;
    return { sentBytes, netMs: performance.now() - began - waitedMs };
  } catch (error) {
    signal.throwIfAborted();
    // What the other node says of it, if it has said so: the connection breaks for it as well.
    await Promise.race([compared, pause(reasonMs)]).catch((reason: unknown) => {
      throw reason instanceof BlockstoreError ? reason : error;
    });
    throw error;
  } finally {
    ending.abort();
    await compared.catch(() => undefined);
  }
}

/** The data that the storage has, and zeros behind them. */
async function* dataOf(processes: Processes, storage: MigratedStorage, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { path, sizeBytes, dataBytes = sizeBytes } = storage;
  yield* readData(processes, { path, sizeBytes: dataBytes }, signal);
  yield* zerosBetween(dataBytes, sizeBytes);
}

async function followAnswers(answers: AsyncIterator<Answer>, progress: (percent: number) => void): Promise<void> {
  for (;;) {
    const { done = false, value } = await answers.next();
    if (done) throw new Error('the connection was closed');
    if ('done' in value) return;
    if ('fault' in value) throw fromFault(value.fault);
    progress(sentPercent + Math.floor(((100 - sentPercent) * value.percent) / 100));
  }
}

async function sendAll(
  { processes, stream, storage, digests }: Sending,
  { signal, progress, bytesPerS, isLast }: PassOptions,
): Promise<{ sentBytes: number; waitedMs: number }> {
  const { sizeBytes } = storage;
  const began = performance.now();
  let sentBytes = 0;
  let limitedBytes = 0;
  let waitedMs = 0;
  const frames = async function* () {
    let number = 0;
    let read = 0;
    for await (const piece of piecesOf(dataOf(processes, storage, signal))) {
      if (digests.note(number, digestOf(piece))) {
        yield sameFrame(piece);
      } else {
        const { head, data } = frameOf(piece);
        yield head;
        if (data.length > 0) yield data;
        sentBytes += piece.length;
        limitedBytes += data.length;
      }
      number += 1;
      read += piece.length;
      progress(Math.floor((sentPercent * read) / sizeBytes));
      const dueMs = bytesPerS === 0 ? 0 : (limitedBytes / bytesPerS) * 1000 - (performance.now() - began);
      if (dueMs <= 1) continue;
      await pause(dueMs, undefined, { signal });
      waitedMs += dueMs;
    }
    yield endFrame(digests.sum(), isLast);
  };
  await pipeline(frames, stream, { end: false, signal });
  return { sentBytes, waitedMs };
}
