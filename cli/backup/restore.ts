import { errors } from '../../lib/errors.ts';
import { usersOf } from '../../lib/models/attachment.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { followProgress } from '../volume/follow-progress.ts';
import { withProgress } from '../volume/follow.ts';
import { withHost } from '../volume/host.ts';
import { volumeJson } from '../volume/present.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import { backupFor } from './find-backup.ts';

/** Prints the id of the volume. */
export async function restoreBackup(
  context: Context,
  reference: string,
  volumeReference: string,
  options: ChangeOptions,
): Promise<void> {
  const { output, interrupts } = context;
  await using session = await context.open();
  const found = await findVolume(session.store, volumeReference);
  const { id, attachStatus } = found;
  if (attachStatus !== 'detached') throw errors.volumeAttached(id, await usersOf(session.store, found));
  const { id: backup } = await backupFor(session.flags, reference, found);
  const volume = await interrupts.during('restore', id, () =>
    withProgress(output, session.store, id, () =>
      followProgress(session, id, options, 'restore', (send) => session.commands.restore(id, backup, send)),
    ),
  );
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(id);
}
