import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fromFault } from '../errors.ts';
import type { Processes } from '../process.ts';
import { answersIn } from './answers.ts';
import { endFrame, framesOf } from './frames.ts';
import { readStorage } from '../devices/storage-streams.ts';
import type { MigratedStorage, SendOptions } from './transport.ts';

/** How much of the progress is the transfer's; the rest is the comparison's. */
const sentPercent = 60;
/** How long the reason of a broken connection is waited for. */
const reasonMs = 2000;

/**
 * Sends the data of a volume and waits for the comparison. `bytesPerS`: at most; 0 = as fast as possible. Throws what the other node
 * reports, and why the connection broke.
 */
export async function sendData(
  processes: Processes,
  stream: Duplex,
  storage: MigratedStorage,
  { signal, progress, bytesPerS }: SendOptions & { bytesPerS: number },
): Promise<void> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const compared = followAnswers(stream, progress);
  try {
    await Promise.race([sendAll(processes, stream, storage, { signal: either, progress, bytesPerS }), compared]);
    await compared;
  } catch (error) {
    signal.throwIfAborted();
    // What the other node says of it, if it has said so: the connection breaks for it as well.
    await Promise.race([compared, pause(reasonMs)]).catch((reason: unknown) => {
      throw reason instanceof Closed ? error : reason;
    });
    throw error;
  } finally {
    ending.abort();
    await compared.catch(() => undefined);
  }
}

/** The connection was closed before the comparison had ended. */
class Closed extends Error {}

async function followAnswers(stream: Duplex, progress: (percent: number) => void): Promise<void> {
  for await (const answer of answersIn(stream)) {
    if ('done' in answer) return;
    if ('fault' in answer) throw fromFault(answer.fault);
    progress(sentPercent + Math.floor(((100 - sentPercent) * answer.percent) / 100));
  }
  throw new Closed('the connection was closed');
}

async function sendAll(
  processes: Processes,
  stream: Duplex,
  storage: MigratedStorage,
  { signal, progress, bytesPerS }: SendOptions & { bytesPerS: number },
): Promise<void> {
  const reader = await readStorage(processes, storage, signal);
  const hash = createHash('sha256');
  const began = performance.now();
  let sent = 0;
  const frames = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield* framesOf(chunk);
      sent += chunk.length;
      progress(Math.floor((sentPercent * sent) / storage.sizeBytes));
      const dueMs = bytesPerS === 0 ? 0 : (sent / bytesPerS) * 1000 - (performance.now() - began);
      if (dueMs > 1) await pause(dueMs, undefined, { signal });
    }
    await reader.ended;
    yield endFrame(hash.digest());
  };
  await Promise.all([reader.ended, pipeline(reader.stdout, frames, stream, { end: false, signal })]);
}
