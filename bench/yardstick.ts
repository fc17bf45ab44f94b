import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { median, perSecond, timesOf } from './figures.ts';

/**
 * The same trips as a create, with next to nothing in them: a script that appends to a stream, a blocking read by another process,
 * a script there, and a script that publishes the answer.
 */
const append = "redis.call('XADD', KEYS[1], '*', 'm', ARGV[1])";
const nothing = 'return 1';
const answer = "redis.call('XDEL', KEYS[1], ARGV[1]) redis.call('PUBLISH', KEYS[2], ARGV[2])";
const stream = 'bare:stream';
const channel = 'bare:answers';

/** Milliseconds of one alone, and how many a second 32 get done. */
export async function bareRoundTrips(
  socket: string,
  count: number,
  runs: number,
): Promise<{ ms: number; perSecond: number }> {
  const other = fork(import.meta.filename, [socket]);
  await once(other, 'message');
  const redis = new Redis(socket);
  const subscription = redis.duplicate();
  const waiting = new Map<string, () => void>();
  subscription.on('message', (_channel: string, request: string) => waiting.get(request)?.());
  await subscription.subscribe(channel);
  let requests = 0;
  const trip = async () => {
    requests += 1;
    const request = String(requests);
    const answered = new Promise<void>((resolve) => waiting.set(request, resolve));
    await redis.eval(append, 1, stream, request);
    await answered;
    waiting.delete(request);
  };
  try {
    await timesOf(500, trip);
    const ms = median(await timesOf(count * runs, trip));
    const rates: number[] = [];
    for (let run = 0; run < runs; run += 1) rates.push(await perSecond(count * 4, 32, trip));
    return { ms, perSecond: median(rates) };
  } finally {
    redis.disconnect();
    subscription.disconnect();
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
}

/** The other process. */
async function serve(socket: string): Promise<void> {
  const redis = new Redis(socket);
  const reader = redis.duplicate();
  process.send?.('ready');
  for (let last = '0'; ; ) {
    const [topic] = (await reader.xread('COUNT', 128, 'BLOCK', 0, 'STREAMS', stream, last)) ?? [];
    for (const [entry, fields] of topic?.[1] ?? []) {
      last = entry;
      void redis.eval(nothing, 1, stream).then(() => redis.eval(answer, 2, stream, channel, entry, fields[1] ?? ''));
    }
  }
}

const [, main, socket] = process.argv;
if (main === import.meta.filename && socket !== undefined) await serve(socket);
