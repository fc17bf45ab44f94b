import type { AttachmentStatus } from '../../../lib/models/attachment-state.ts';
import { removedAttachment } from '../../../lib/models/volume-edit.ts';
import type { Edit } from '../../../lib/redis/scripts.ts';
import type { StepContext } from './operation.ts';

/** Returns what the end of an operation changes of the attachment that it is about, where Redis has its record still. */
export function attachmentEdits(
  { volume, attachments }: Pick<StepContext, 'volume' | 'attachments'>,
  status: AttachmentStatus | 'removed',
): Edit[] {
  const { attachment: id } = volume;
  if (status === 'removed') return [removedAttachment(id)];
  const own = attachments.find((one) => one.id === id);
  // Its host has yet to say that it uses the volume.
  const reached = status === 'attached' && own?.status === 'attaching' && own.reserveTime !== undefined;
  return [{ kind: 'attachment', id, set: { status: reached ? 'connecting' : status }, optional: true }];
}
