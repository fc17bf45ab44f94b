import type { SnapshotState } from '../models/snapshot-state.ts';
import type { TransferState } from '../models/transfer-state.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Condition, Edit } from '../redis/scripts.ts';
import { sizeInBytes } from '../volume-size.ts';
import type { StartRequest } from './start-task.ts';

/** Who has a volume from now on. */
export interface Receiver {
  projectId: string;
  userId: string;
}

/**
 * Returns all that the acceptance of a transfer changes and requires: volume and snapshots have the receiver as their owner, and the
 * transfer is gone. Snapshots of another project than the one that offers them stay with it. O(snapshots × log N).
 */
export function acceptance(
  { id, projectId: from }: TransferState,
  volume: VolumeState,
  snapshots: readonly SnapshotState[],
  receiver: Receiver,
): Pick<StartRequest, 'transition' | 'kind' | 'set' | 'also'> {
  const { projectId, userId } = receiver;
  const moved = snapshots.filter((snapshot) => snapshot.projectId === from);
  const edits: Edit[] = [
    { kind: 'transfer', id, remove: true },
    ...moved.map(
      (snapshot): Edit => ({
        kind: 'snapshot',
        id: snapshot.id,
        expect: { projectId: from },
        set: { projectId, userId },
      }),
    ),
  ];
  const bytes = [volume, ...moved].reduce((sum, { size }) => sum + sizeInBytes(size), 0);
  const quota: Condition = { is: 'quota', project: projectId, volumes: 1, bytes, snapshots: moved.length };
  return {
    transition: 'acceptTransfer',
    kind: 'relabel',
    set: { projectId, userId },
    also: { edits, conditions: [quota] },
  };
}
