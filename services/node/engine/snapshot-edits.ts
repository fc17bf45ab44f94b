import type { Fault } from '../../../lib/errors.ts';
import type { SnapshotState, SnapshotStatus } from '../../../lib/models/snapshot-state.ts';
import type { Edit } from '../../../lib/redis/scripts.ts';

/** Returns what becomes of a snapshot's record at the end of an operation; nothing where Redis has lost it. */
export function snapshotEdits(
  snapshot: SnapshotState | undefined,
  becomes: SnapshotStatus | 'removed',
  fault?: Fault,
): Edit[] {
  if (!snapshot) return [];
  const { id } = snapshot;
  if (becomes === 'removed') return [{ kind: 'snapshot', id, remove: true }];
  return fault === undefined
    ? [{ kind: 'snapshot', id, set: { status: becomes }, unset: ['fault'] }]
    : [{ kind: 'snapshot', id, set: { status: becomes, fault: JSON.stringify(fault) } }];
}
