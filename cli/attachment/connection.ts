import { connectionOf } from '../../lib/client/connection.ts';
import { errors } from '../../lib/errors.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';

/** Prints how a host connects the volume, with the secret. Throws WrongStatus while no host may. */
export async function showConnection(context: Context, id: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const attachment = await attachmentsOf(store).lookup(id);
  const { status, volume: volumeId } = attachment;
  if (status !== 'connecting' && status !== 'attached') {
    throw errors.attachmentInStatus(id, status, 'connecting or attached');
  }
  const info = await connectionOf(store, await volumesOf(store).lookup(volumeId), attachment);
  if (info === undefined) throw errors.notConnectable(volumeId);
  await output.document(info);
}
