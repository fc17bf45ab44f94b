import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { errors } from '../../lib/errors.ts';
import type { Session } from '../session.ts';
import { follow } from './follow.ts';
import { type ChangeOptions, waitsForEnd } from './wait-options.ts';

/** Of a large volume one percent can take minutes. */
const maxIdleMs = 600_000;
/** A call without a time limit of its own. */
const longestMs = 30 * 86_400_000;

/** Waits for the end of a long operation as long as it makes progress, or for `--timeout`. Throws what `call` throws, NotFinished. */
export async function followProgress<T>(
  { store }: Session,
  id: string,
  options: ChangeOptions,
  operation: 'migrate' | 'backup' | 'restore',
  call: (options: SendOptions) => Promise<T>,
): Promise<T> {
  if (!waitsForEnd(options)) return call({});
  if (options.timeout !== undefined) return call({ deadlineMs: options.timeout });
  let isOver = false;
  const ended = call({ deadlineMs: longestMs }).finally(() => {
    isOver = true;
  });
  const idle = async (): Promise<never> => {
    const { over } = await follow(store, id, { isOver: () => isOver, maxIdleMs });
    if (over) await ended;
    throw errors.notFinished(id, operation, maxIdleMs, 'it has made no progress since');
  };
  return Promise.race([ended, idle()]);
}
