import type { SendOptions } from '../../lib/client/volume-commands.ts';
import { errors } from '../../lib/errors.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Session } from '../session.ts';
import { follow } from './follow.ts';
import { type ChangeOptions, waitsForEnd } from './wait-options.ts';

/** Of a large volume one percent can take minutes. */
const maxIdleMs = 600_000;
/** A call without a time limit of its own. */
const longestMs = 30 * 86_400_000;

/** Waits for the end of a migration as long as it makes progress, or for `--timeout`. Throws what `migrate` throws, NotFinished. */
export async function followMigration(
  { store }: Session,
  id: string,
  options: ChangeOptions,
  migrate: (options: SendOptions) => Promise<VolumeState>,
): Promise<VolumeState> {
  if (!waitsForEnd(options)) return migrate({});
  if (options.timeout !== undefined) return migrate({ deadlineMs: options.timeout });
  let isOver = false;
  const call = migrate({ deadlineMs: longestMs }).finally(() => {
    isOver = true;
  });
  const idle = async (): Promise<never> => {
    const { over } = await follow(store, id, { isOver: () => isOver, maxIdleMs });
    if (over) await call;
    throw errors.notFinished(id, 'migrate', maxIdleMs / 1000, 'it has made no progress since');
  };
  return Promise.race([call, idle()]);
}
