import { SanCommandError } from '../../san/shell.ts';

export type ZfsFailure = 'exists' | 'absent' | 'busy' | 'noSpace' | 'other';

const patterns: readonly (readonly [ZfsFailure, RegExp])[] = [
  ['exists', /dataset already exists/i],
  ['absent', /dataset does not exist|could not find any snapshots to destroy/i],
  ['noSpace', /out of space|no space left|quota exceeded|greater than (the )?available space/i],
  ['busy', /dataset is busy|has children|dependent clones/i],
];

/** Classifies what zfs printed; undefined for any other error. */
export function zfsFailure(error: unknown): ZfsFailure | undefined {
  if (!(error instanceof SanCommandError)) return undefined;
  return patterns.find(([, pattern]) => pattern.test(error.words))?.[0] ?? 'other';
}

/** Does the work; a failure of that kind is success. */
export async function unless(failure: ZfsFailure, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (zfsFailure(error) !== failure) throw error;
  }
}
