import { z } from 'zod';
import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { isId } from '../../lib/models/id.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { type Listed, listPage, listQuery } from './listing.ts';
import { attachmentStatus } from './views/attachment.ts';

const text = z.string().max(255).optional();

/** What a list of attachments can be asked for. */
export const attachmentQuery = z.strictObject({
  ...listQuery,
  volume_id: text,
  instance_id: text,
  status: text,
  attach_status: text,
  project_id: text,
});
type AttachmentQuery = z.output<typeof attachmentQuery>;

/** The page of attachments that a request asks for, of one project or, for an administrator, of all. */
export async function listAttachments(context: Context, query: AttachmentQuery): Promise<Listed<AttachmentState>> {
  const { store } = context.cluster;
  const isAll = hasRole(context.caller, 'admin') && (query.all_tenants ?? false);
  const project = isAll ? query.project_id : context.caller.projectId;
  return listPage(context, {
    records: attachmentsOf(store),
    index: indexOf(store, query.volume_id, project),
    query,
    matches: filterOf(query, project),
    sortedBy: { status: attachmentStatus, volume_id: ({ volume }) => volume, instance: ({ instanceId }) => instanceId },
  });
}

/** A volume has few. */
function indexOf({ keys }: Store, volume: string | undefined, project: string | undefined): string {
  if (volume !== undefined && isId(volume)) return keys.volumeAttachments(volume);
  return project === undefined ? keys.attachments() : keys.projectAttachments(project);
}

/** Undefined where nothing is filtered. */
function filterOf(
  { volume_id: volume, instance_id: instance, status, attach_status: attachStatus }: AttachmentQuery,
  project: string | undefined,
): ((attachment: AttachmentState) => boolean) | undefined {
  if ([volume, instance, status, attachStatus].every((value) => value === undefined)) return undefined;
  return (attachment) =>
    (project ?? attachment.projectId) === attachment.projectId &&
    (volume ?? attachment.volume) === attachment.volume &&
    (instance ?? attachment.instanceId) === attachment.instanceId &&
    [status, attachStatus].every((asked) => asked === undefined || asked === attachmentStatus(attachment));
}
