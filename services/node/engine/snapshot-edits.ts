import type { Fault } from '../../../lib/errors.ts';
import type { SnapshotState, SnapshotStatus } from '../../../lib/models/snapshot-state.ts';
import { removedSnapshot } from '../../../lib/models/volume-edit.ts';
import type { Edit } from '../../../lib/redis/scripts.ts';
import type { Operation } from './operation.ts';

/** Returns what becomes of snapshots that end with their volume, where Redis has them still; with a fault where that has failed. */
export function endedSnapshots(
  snapshots: readonly SnapshotState[],
  { endsSnapshots }: Pick<Operation, 'endsSnapshots'>,
  fault?: Fault,
): Edit[] {
  if (!endsSnapshots) return [];
  if (fault === undefined) return snapshots.map(({ id }) => removedSnapshot(id));
  const set = { status: endsSnapshots.fail, fault: JSON.stringify(fault) };
  return snapshots.map(({ id }) => ({ kind: 'snapshot', id, set, optional: true }));
}

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
