import { type ConnectionInfo, connectionInfo } from '../connectors/connection-info.ts';
import type { AttachmentState } from '../models/attachment-state.ts';
import { backendId, endpointOf } from '../models/backend.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';

/** Whether the host of an attachment may connect its volume. */
export function isConnectable({ status }: Pick<AttachmentState, 'status'>): boolean {
  return status === 'connecting' || status === 'attached';
}

/** Returns how the host of an attachment connects its volume, with the secret; undefined while none may, or for a volume that none reaches. */
export async function connectionOf(
  store: Store,
  volume: VolumeState,
  { status, mode }: Pick<AttachmentState, 'status' | 'mode'>,
): Promise<ConnectionInfo | undefined> {
  if (!isConnectable({ status })) return undefined;
  const endpoint = await endpointOf(store, backendId(volume.node, volume.backend));
  return connectionInfo(volume, { mode, endpoint });
}
