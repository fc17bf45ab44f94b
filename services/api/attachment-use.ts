import { errors } from '../../lib/errors.ts';
import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { userName } from '../../lib/models/attachment.ts';
import { type Caller, hasRole } from './caller.ts';

const ofHost: ReadonlySet<AttachmentState['status']> = new Set(['attaching', 'connecting', 'attached']);

/**
 * Whether a host has the volume by it for an instance, or has attached it by the command line: who ends such an attachment takes the
 * volume from a host that may write to it. One that no host was ever admitted for says only what the volume is to be used for.
 */
function isUsed({ status, instanceId, reserveTime, hostId, domain, isRestored }: AttachmentState): boolean {
  const isOfInstance = instanceId !== '' && reserveTime !== undefined;
  return ofHost.has(status) && (isOfInstance || hostId !== '' || domain !== '' || isRestored);
}

/**
 * Returns what throws AttachmentInUse for an attachment that the caller may not end: only the service that runs an instance knows that its
 * host has let the volume go.
 */
export function mayEnd(caller: Caller): (attachment: AttachmentState) => void {
  return (attachment) => {
    if (!isUsed(attachment) || hasRole(caller, 'service')) return;
    throw errors.attachmentInUse(attachment.volume, attachment.id, userName(attachment));
  };
}
