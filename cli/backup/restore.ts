import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { requireDetached, restoreFrom } from '../volume/restore.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import { backupFor } from './find-backup.ts';

/** Prints the id of the volume. */
export async function restoreBackup(
  context: Context,
  reference: string,
  volumeReference: string,
  options: ChangeOptions,
): Promise<void> {
  await using session = await context.open();
  const found = await findVolume(session.store, volumeReference);
  await requireDetached(session, found);
  const { id } = await backupFor(session.flags, reference, found);
  await restoreFrom(context, session, found, { ...options, source: { kind: 'backup', id } });
}
