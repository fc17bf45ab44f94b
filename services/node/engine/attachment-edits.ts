import type { AttachmentStatus } from '../../../lib/models/attachment-state.ts';
import type { Hash } from '../../../lib/models/hash.ts';
import { removedAttachment } from '../../../lib/models/volume-edit.ts';
import { type VolumeState, isVolumeStatus } from '../../../lib/models/volume-state.ts';
import type { Edit } from '../../../lib/redis/scripts.ts';
import type { TransitionName } from '../../../lib/models/transitions.ts';
import type { Operation, StepContext } from './operation.ts';
import { isUsedByOthers, remainingAttachments } from './steps.ts';

/** Returns what the end of an operation changes of the attachment that it is about, where Redis has its record still. */
export function attachmentEdits(
  { volume, attachments }: Pick<StepContext, 'volume' | 'attachments'>,
  status: AttachmentStatus | 'removed',
): Edit[] {
  const { attachment: id } = volume;
  if (status === 'removed') return [removedAttachment(id)];
  const own = attachments.states.find((one) => one.id === id);
  // Its host has yet to say that it uses the volume.
  const isConnecting = status === 'attached' && own?.reserveTime !== undefined && own.completeTime === undefined;
  return [{ kind: 'attachment', id, set: { status: isConnecting ? 'connecting' : status }, optional: true }];
}

/**
 * Returns how an operation on an attachment ends that has failed; `isLeft`: its host may be admitted still. While other hosts have the volume
 * a failed attach is the requesters' alone. Beside other attachments, also reserved ones, a host that may be admitted keeps its attachment,
 * for another detach: the export cannot be ended without them, or would be evidence of one that Redis has lost.
 */
export function attachmentFailure(
  run: Pick<StepContext, 'volume' | 'attachments'>,
  { fail, ofAttachment }: Operation,
  isLeft: boolean,
): { transition: TransitionName; status: AttachmentStatus | 'removed'; isOfRequesters: boolean } {
  const failed = { transition: fail, status: ofAttachment?.fail ?? 'removed' } as const;
  if (failed.status !== 'removed') return { ...failed, isOfRequesters: false };
  const { states, missing } = remainingAttachments(run);
  if (isLeft && states.length + missing.length > 0) {
    return { transition: 'failAttachUndo', status: 'attached', isOfRequesters: false };
  }
  return { ...failed, isOfRequesters: isUsedByOthers(run) };
}

/** Returns the volume with the attachments of a record with the same task: one that was reserved has been made or deleted meanwhile. */
export function withOtherAttachments(volume: VolumeState, record: Hash): VolumeState | undefined {
  const text = record['attachments'] ?? '';
  if (record['task'] !== volume.taskText || text === volume.attachments.join(',')) return undefined;
  const { status = '' } = record;
  return isVolumeStatus(status) ? { ...volume, status, attachments: text === '' ? [] : text.split(',') } : undefined;
}
