import { deleteWithSnapshots } from '../../lib/client/cascade.ts';
import { asError } from '../../lib/errors.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from './call.ts';

/** Begins to delete a volume. Throws what VolumeCommands.delete() and deleteWithSnapshots() throw. */
export async function removeVolume(
  { cluster, flags }: Pick<Context, 'cluster' | 'flags'>,
  id: string,
  { cascade }: { cascade: boolean },
): Promise<void> {
  if (cascade) await deleteWithSnapshots(cluster, id, { excessMs: flags.api_timeout * 1000 });
  else await cluster.commands.delete(id);
}

/** Ends what keeps a volume that no host has: the offer to another project, and reservations. The volume is available then. */
export async function endClaims(
  { cluster }: Pick<Context, 'cluster'>,
  { transfer, attachStatus, attachments, task }: VolumeState,
): Promise<void> {
  if (task || attachStatus !== 'detached') return;
  if (transfer !== '') await cluster.transfers.delete(transfer).catch(unlessGone);
  for (const attachment of attachments) await cluster.attachments.delete(attachment).catch(unlessGone);
}

/** Another request has ended it. */
function unlessGone(error: unknown): void {
  if (asError(error).kind !== 'notFound') throw error;
}
