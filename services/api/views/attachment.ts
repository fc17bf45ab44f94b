import { z } from 'zod';
import { isConnectable } from '../../../lib/client/connection.ts';
import { type ConnectionInfo, connectionInfo } from '../../../lib/connectors/connection-info.ts';
import type { AttachmentState } from '../../../lib/models/attachment-state.ts';
import { backendId, backendsOf } from '../../../lib/models/backend.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type Caller, hasRole } from '../caller.ts';
import type { Context } from '../call.ts';
import { time } from '../schemas.ts';
import { apiTime } from './time.ts';

const summary = {
  id: z.string(),
  status: z.enum(['reserved', 'attaching', 'attached', 'detaching', 'error_detaching']),
  instance: z.string().nullable(),
  volume_id: z.string(),
};
const secret = 'auth_password';

export const attachmentSummaryDocument = z
  .strictObject(summary)
  .meta({ id: 'AttachmentSummary', description: 'An attachment in lists without details' });

const parts = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(z.string()),
  z.record(z.string(), z.string()),
]);

export const attachmentDocument = z
  .strictObject({
    ...summary,
    attach_mode: z.enum(['rw', 'ro']),
    attached_at: z.union([time, z.literal('')]),
    detached_at: z.literal(''),
    connection_info: z
      .record(z.string(), parts)
      .describe(`How the host connects the volume; empty while none may. ${secret} is shown to those who may attach`),
  })
  .meta({ id: 'Attachment', description: 'What a host has a volume by, or is to have it by' });

export const connectionDocument = z
  .strictObject({
    driver_volume_type: z.enum(['aoe', 'iscsi', 'nvmeof', 'rbd', 'sheepdog']),
    data: z.record(z.string(), parts),
  })
  .meta({ id: 'Connection', description: 'How a host connects a volume, as os-brick takes it' });

/** What the answers about attachments need beside their records. */
export interface AttachmentFacts {
  volumes: ReadonlyMap<string, VolumeState>;
  /** Where exports are reached, by `node@backend`. */
  endpoints: ReadonlyMap<string, string>;
}

/** Reads it for all attachments of a page at once. */
export async function attachmentFacts(store: Store, attachments: readonly AttachmentState[]): Promise<AttachmentFacts> {
  const ids = new Set(attachments.filter(isConnectable).map(({ volume }) => volume));
  const { states: volumes } = await volumesOf(store).readAll([...ids]);
  return volumeFacts(store, volumes);
}

/** The same of volumes as they were just read. */
export async function volumeFacts(store: Store, volumes: readonly VolumeState[]): Promise<AttachmentFacts> {
  const places = new Set(volumes.map(({ node, backend }) => backendId(node, backend)));
  const { states: backends } = await backendsOf(store).readAll([...places]);
  return {
    volumes: new Map(volumes.map((volume) => [volume.id, volume])),
    endpoints: new Map(backends.map(({ id, endpoint }) => [id, endpoint])),
  };
}

/** The status as the clients of the Block Storage API know it. */
export function attachmentStatus({
  status,
  fault,
}: Pick<AttachmentState, 'status' | 'fault'>): z.output<typeof attachmentSummaryDocument>['status'] {
  if (status === 'connecting') return fault ? 'error_detaching' : 'attaching';
  return fault && status === 'attached' ? 'error_detaching' : status;
}

/** The short form of lists. */
export function attachmentSummaryView(attachment: AttachmentState): z.input<typeof attachmentSummaryDocument> {
  const { id, instanceId, volume } = attachment;
  return { id, status: attachmentStatus(attachment), instance: instanceId || null, volume_id: volume };
}

/** The document of one attachment. */
export function attachmentView(
  attachment: AttachmentState,
  facts: AttachmentFacts,
  { caller }: Pick<Context, 'caller'>,
): Omit<z.input<typeof attachmentDocument>, 'connection_info'> & { connection_info: ConnectionInfo['data'] } {
  const { attachTime, mode } = attachment;
  return {
    ...attachmentSummaryView(attachment),
    attach_mode: mode,
    attached_at: attachTime === undefined ? '' : apiTime(attachTime),
    detached_at: '',
    connection_info: flat(attachment, connectionIn(attachment, facts), caller),
  };
}

function connectionIn(
  attachment: AttachmentState,
  { volumes, endpoints }: AttachmentFacts,
): ConnectionInfo | undefined {
  const volume = volumes.get(attachment.volume);
  if (!volume || !isConnectable(attachment)) return undefined;
  const endpoint = endpoints.get(backendId(volume.node, volume.backend)) ?? '';
  return connectionInfo(volume, { mode: attachment.mode, endpoint });
}

/** Attachments have in one level what os-initialize_connection has in two. */
function flat({ id }: AttachmentState, connection: ConnectionInfo | undefined, caller: Caller): ConnectionInfo['data'] {
  if (!connection) return {};
  const { data, driver_volume_type: type } = connection;
  const mayAttach = hasRole(caller, 'member') || hasRole(caller, 'service');
  const shown = Object.entries(data).filter(([name]) => mayAttach || name !== secret);
  return { ...Object.fromEntries(shown), driver_volume_type: type, attachment_id: id };
}
