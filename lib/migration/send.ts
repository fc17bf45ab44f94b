import type { Duplex } from 'node:stream';
import { usersOfStorage } from '../devices/storage-users.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { answersIn } from './answers.ts';
import { Digests } from './pieces.ts';
import { type Pass, type Sending, sendPass } from './send-pass.ts';
import type { MigratedStorage, SendOptions, Writers } from './transport.ts';

/** While hosts write, passes are repeated as long as each sends something, and at most this part of what the one before sent. */
const worthwhile = 0.7;
const maxPasses = 6;
/** How much of the progress is that of the first pass, where others follow. */
const firstPercent = 90;

/**
 * Sends the data of a volume and waits for the comparison; in passes where hosts write to it meanwhile. `bytesPerS`: at most, while they
 * can; 0 = as fast as possible. Throws what the other node reports, why the connection broke, StallTooLong,
 * VolumeBusy, what `writers.stop` throws.
 */
export async function sendData(
  processes: Processes,
  stream: Duplex,
  storage: MigratedStorage,
  { signal, progress, writers, bytesPerS }: SendOptions & { bytesPerS: number },
): Promise<void> {
  const sending = { processes, stream, storage, answers: answersIn(stream), digests: new Digests(storage.sizeBytes) };
  if (!writers) {
    await sendPass(sending, { signal, progress, bytesPerS, isLast: true });
    return;
  }
  const ofFirst = (percent: number) => progress(Math.floor((firstPercent * percent) / 100));
  let pass = await sendPass(sending, { signal, progress: ofFirst, bytesPerS, isLast: false });
  let before = Infinity;
  const isWorthwhile = () => pass.sentBytes > 0 && pass.sentBytes <= before * worthwhile;
  for (let number = 2; number <= maxPasses && isWorthwhile(); number += 1) {
    before = pass.sentBytes;
    pass = await sendPass(sending, { signal, progress: () => {}, bytesPerS, isLast: false });
    progress(firstPercent + number);
  }
  await sendLast(sending, pass, writers, signal);
}

/** What has changed until nobody writes any more: as fast as possible. The pass before says how long that takes at least. */
async function sendLast(
  sending: Sending,
  { netMs }: Pass,
  { limitMs, stop }: Writers,
  signal: AbortSignal,
): Promise<void> {
  const { stream, storage } = sending;
  const tooLong = (tookMs: number) => errors.stallTooLong(storage.volume, tookMs / 1000, limitMs / 1000);
  if (netMs > limitMs) throw tooLong(netMs);
  const limit = AbortSignal.timeout(limitMs);
  limit.addEventListener('abort', () => stream.destroy(tooLong(limitMs)), { once: true });
  try {
    await stop();
    const users = await usersOfStorage(storage.path);
    if (users.length > 0) throw errors.stillOpen(storage.volume, users);
    await sendPass(sending, {
      signal: AbortSignal.any([signal, limit]),
      progress: () => {},
      bytesPerS: 0,
      isLast: true,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw limit.aborted ? tooLong(limitMs) : error;
  }
}
