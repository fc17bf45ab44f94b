import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { errors } from '../../lib/errors.ts';
import { pollUntil } from '../../lib/concurrency.ts';
import type { JobKind } from '../../lib/models/job-state.ts';
import { jobsOf } from '../../lib/models/job.ts';
import type { Store } from '../../lib/redis/store.ts';
import { Progress } from '../progress.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { type ChangeOptions, waitsForEnd } from '../volume/wait-options.ts';

/** Of a large snapshot one percent can take minutes. */
const maxIdleMs = 600_000;
/** A call without a time limit of its own. */
const longestMs = 30 * 86_400_000;
const pollMs = 500;

type Call = (options: SendOptions, onBegin: (job: string) => void) => Promise<void>;

/**
 * Waits for the end of a job as long as it makes progress, or for `--timeout`, and shows the progress on a terminal. Throws what `call` throws,
 * NotFinished.
 */
export async function followJob(
  { store }: Session,
  output: Output,
  { kind, of, ...options }: ChangeOptions & { kind: JobKind; of: string },
  call: Call,
): Promise<void> {
  if (!waitsForEnd(options)) return call({}, () => {});
  let job: string | undefined;
  let isOver = false;
  const shown = new Progress(output, of);
  const ended = call({ deadlineMs: options.timeout ?? longestMs }, (id) => {
    job = id;
  }).finally(() => {
    isOver = true;
  });
  const idle = async (): Promise<never> => {
    let [last, changed] = [-1, performance.now()];
    const isIdle = async () => {
      const found =
        isOver || job === undefined
          ? undefined
          : await jobsOf(store)
              .find(job)
              .catch(() => undefined);
      const { progress = 0 } = found ?? {};
      // One that waits for its turn on a node that is up is not idle.
      const waits = found !== undefined && found.progress === undefined && (await isUp(store, found.node));
      if (progress !== last || waits) [last, changed] = [progress, performance.now()];
      if (found && !isOver) shown.update(`${kind} of ${of}: ${waits ? 'waits' : `${progress} %`}`);
      return isOver || (options.timeout === undefined && performance.now() - changed >= maxIdleMs);
    };
    await pollUntil(isIdle, { deadlineMs: longestMs, intervalMs: pollMs });
    if (isOver) await ended;
    throw errors.jobNotFinished(of, kind, maxIdleMs);
  };
  const watching = idle();
  watching.catch(() => undefined);
  try {
    await Promise.race([ended, watching]);
  } finally {
    isOver = true;
    shown.end();
  }
}

async function isUp(store: Store, node: string): Promise<boolean> {
  return (await store.read((redis) => redis.exists(store.keys.lease(node))).catch(() => 0)) === 1;
}
