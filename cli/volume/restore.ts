import { errors } from '../../lib/errors.ts';
import { usersOf } from '../../lib/models/attachment.ts';
import type { RestoreSource } from '../../lib/models/restore-source.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { followProgress } from './follow-progress.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import type { ChangeOptions } from './wait-options.ts';

/** Throws VolumeAttached. */
export async function requireDetached({ store }: Session, volume: VolumeState): Promise<void> {
  if (volume.attachStatus !== 'detached') throw errors.volumeAttached(volume.id, await usersOf(store, volume));
}

/** Gives a volume other data in place of its own. Prints the id of the volume. */
export async function restoreFrom(
  { output, interrupts }: Context,
  session: Session,
  { id }: VolumeState,
  { source, mayBeReserved = false, ...options }: ChangeOptions & { source: RestoreSource; mayBeReserved?: boolean },
): Promise<void> {
  const volume = await interrupts.during('restore', id, () =>
    withProgress(output, session.store, id, () =>
      followProgress(session, id, options, 'restore', (send) =>
        session.commands.restore(id, source, { ...send, mayBeReserved }),
      ),
    ),
  );
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(id);
}
