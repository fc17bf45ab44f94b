import { type BlockstoreError, errors } from '../../errors.ts';
import type { LvmAnswer } from './lvm.ts';

export type LvmFailure =
  | 'exists'
  | 'absent'
  | 'busy'
  | 'noSpace'
  | 'noGroup'
  | 'incomplete'
  | 'exported'
  | 'inaccessible'
  | 'lost'
  | 'tooMany'
  | 'other';

const failed = 5;

const patterns: readonly (readonly [LvmFailure, RegExp])[] = [
  ['exists', /already exists in volume group/i],
  ['absent', /failed to find logical volume/i],
  ['incomplete', /PVs are missing|partial LV|find device with uuid/i],
  ['noGroup', /volume group "[^"]*" not found/i],
  ['exported', /volume group \S+ is exported/i],
  // Locks, owners, and a kernel without device-mapper: every volume of the group has them.
  [
    'inaccessible',
    /get lock for|lock failed|failed lock|\/lock\/|cannot access VG|device-mapper (driver|is available)/i,
  ],
  // What a pool has lost, as after a repair.
  ['lost', /device-mapper: (reload|message) ioctl .*No data available/i],
  ['tooMany', /maximum number of logical volumes/i],
  [
    'noSpace',
    /insufficient (free space|suitable (contiguous )?allocatable extents)|free space in thin pool .* reached threshold/i,
  ],
  ['busy', /\bin use\b|is used by another device|device or resource busy/i],
];

/** Classifies a failure by its status and its messages. */
export function failureOf(answer: LvmAnswer): LvmFailure {
  if (answer.status !== failed) return 'other';
  const words = answer.messages.join('\n');
  return patterns.find(([, pattern]) => pattern.test(words))?.[0] ?? 'other';
}

/** Whether a command for many volumes failed for the sake of the group; otherwise it was carried out for some of them. */
export function concernsGroup(answer: LvmAnswer): boolean {
  return answer.status !== failed || ['noGroup', 'exported', 'inaccessible'].includes(failureOf(answer));
}

/** Returns the error for a failure of the group, or for an unclassified one. */
export function lvmError(args: readonly string[], answer: LvmAnswer, group: string): BlockstoreError {
  const reason = answer.messages.join('; ') || `status ${answer.status}, without a reason`;
  const failure = failureOf(answer);
  if (failure === 'noGroup') return errors.noVolumeGroup(group);
  if (failure === 'incomplete') return errors.groupIncomplete(group, reason);
  if (failure === 'exported') return errors.groupExported(group);
  if (failure === 'tooMany') return errors.groupAtLimit(group, reason);
  const command = args.slice(0, 1).concat(args.slice(-1)).join(' … ');
  // Its status is that of a malformed command.
  if (/device-mapper target\(s\) not detected/.test(reason)) return errors.targetMissing(command, reason);
  return errors.lvmFailed(command, reason);
}
