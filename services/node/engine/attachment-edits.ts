import type { Fault } from '../../../lib/errors.ts';
import type { AttachmentStatus } from '../../../lib/models/attachment-state.ts';
import type { Hash } from '../../../lib/models/hash.ts';
import { endedAttachment } from '../../../lib/models/volume-edit.ts';
import { type VolumeState, isVolumeStatus } from '../../../lib/models/volume-state.ts';
import type { Edit } from '../../../lib/redis/scripts.ts';
import type { TransitionName } from '../../../lib/models/transitions.ts';
import type { Operation, StepContext } from './operation.ts';
import { isUsedByOthers, remainingAttachments } from './steps.ts';

/**
 * Returns what the end of an operation changes of the attachment that it is about, where Redis has its record still. `fault`: of an attach
 * that leaves it to be detached; the fault of the volume goes with the next task of that.
 */
export function attachmentEdits(
  { volume, attachments }: Pick<StepContext, 'volume' | 'attachments'>,
  status: AttachmentStatus | 'removed',
  fault?: Fault,
): Edit[] {
  const { attachment: id } = volume;
  const own = attachments.states.find((one) => one.id === id);
  if (status === 'removed') return [endedAttachment(attachments, id)];
  // Its host has yet to say that it uses the volume.
  const isConnecting = status === 'attached' && own?.reserveTime !== undefined && own.completeTime === undefined;
  const set = {
    status: isConnecting ? 'connecting' : status,
    ...(fault === undefined ? {} : { fault: JSON.stringify(fault) }),
  };
  return [{ kind: 'attachment', id, set, unset: ['kept'], optional: true }];
}

interface AttachmentFailure {
  transition: TransitionName;
  status: AttachmentStatus | 'removed';
  /** Who has the fault: the requesters alone, or the volume as well, or beside that the attachment. */
  faultOf: 'requesters' | 'volume' | 'attachment';
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
): AttachmentFailure {
  const failed = { transition: fail, status: ofAttachment?.fail ?? 'removed' } as const;
  if (failed.status !== 'removed') return { ...failed, faultOf: 'volume' };
  const { states, missing } = remainingAttachments(run);
  if (isLeft && states.length + missing.length > 0) {
    return { transition: 'failAttachUndo', status: 'attached', faultOf: 'attachment' };
  }
  return { ...failed, faultOf: isUsedByOthers(run) ? 'requesters' : 'volume' };
}

/** Returns the volume with the attachments of a record with the same task: one that was reserved has been made or deleted meanwhile. */
export function withOtherAttachments(volume: VolumeState, record: Hash): VolumeState | undefined {
  const text = record['attachments'] ?? '';
  if (record['task'] !== volume.taskText || text === volume.attachments.join(',')) return undefined;
  const { status = '' } = record;
  return isVolumeStatus(status) ? { ...volume, status, attachments: text === '' ? [] : text.split(',') } : undefined;
}
