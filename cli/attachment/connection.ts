import { connectionInfo } from '../../lib/connectors/connection-info.ts';
import { errors } from '../../lib/errors.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { backendId, endpointOf } from '../../lib/models/backend.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';

/** Prints how a host connects the volume, with the secret. Throws WrongStatus while no host may. */
export async function showConnection(context: Context, id: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const { status, mode, volume: volumeId } = await attachmentsOf(store).lookup(id);
  if (status !== 'connecting' && status !== 'attached') {
    throw errors.attachmentInStatus(id, status, 'connecting or attached');
  }
  const volume = await volumesOf(store).lookup(volumeId);
  const endpoint = await endpointOf(store, backendId(volume.node, volume.backend));
  const info = connectionInfo(volume, { mode, endpoint });
  if (info === undefined) throw errors.notConnectable(volumeId);
  await output.document(info);
}
