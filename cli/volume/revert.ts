import { findSnapshotOfVolume } from '../../lib/models/find-snapshot-of-volume.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { requireDetached, restoreFrom } from './restore.ts';
import type { ChangeOptions } from './wait-options.ts';

/** Prints the id of the volume. */
export async function revertVolume(
  context: Context,
  reference: string,
  snapshotReference: string,
  options: ChangeOptions,
): Promise<void> {
  await using session = await context.open();
  const { store } = session;
  const found = await findVolume(store, reference, { byBeginning: false });
  await requireDetached(session, found);
  const { id } = await findSnapshotOfVolume(store, found.id, snapshotReference);
  await restoreFrom(context, session, found, { ...options, source: { kind: 'snapshot', id } });
}
