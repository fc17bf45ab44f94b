import { type BlockstoreError, errors } from '../../errors.ts';
import type { LvmAnswer } from './lvm.ts';

export type LvmFailure = 'exists' | 'absent' | 'busy' | 'noSpace' | 'noGroup' | 'incomplete' | 'other';

const failed = 5;

const patterns: readonly (readonly [LvmFailure, RegExp])[] = [
  ['exists', /already exists in volume group/i],
  ['absent', /failed to find logical volume/i],
  ['incomplete', /PVs are missing|partial LV|find device with uuid/i],
  ['noGroup', /volume group "[^"]*" not found/i],
  ['noSpace', /insufficient (free space|suitable allocatable extents)/i],
  ['busy', /\bin use\b|is used by another device|device or resource busy/i],
];

/** What kind of failure an answer tells of: by its status and its words together. */
export function failureOf(answer: LvmAnswer): LvmFailure {
  if (answer.status !== failed) return 'other';
  const words = answer.messages.join('\n');
  return patterns.find(([, pattern]) => pattern.test(words))?.[0] ?? 'other';
}

/** The error for a failure that is about the group, or that nothing more is known of. */
export function lvmError(args: readonly string[], answer: LvmAnswer, group: string): BlockstoreError {
  const reason = answer.messages.join('; ') || `status ${answer.status}, without a reason`;
  const failure = failureOf(answer);
  if (failure === 'noGroup') return errors.noVolumeGroup(group);
  if (failure === 'incomplete') return errors.groupIncomplete(group, reason);
  return errors.lvmFailed(args.slice(0, 1).concat(args.slice(-1)).join(' … '), reason);
}
