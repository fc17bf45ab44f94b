import { BlockstoreError } from './blockstore-error.ts';

/** Errors of snapshots on their storage. */
export const snapshotErrors = {
  snapshotBusy: (snapshot: string, by: string) =>
    new BlockstoreError(
      'SnapshotBusy',
      'conflict',
      `snapshot ${snapshot} is in use on its node: ${by}`,
      'end these uses, then delete the snapshot again',
    ),
  originBusy: (volume: string, snapshots: readonly string[]) =>
    new BlockstoreError(
      'VolumeBusy',
      'conflict',
      `volume ${volume} is in use on its node, and LVM extends a volume with snapshots only out of use: ${snapshots.join(', ')}`,
      'detach the volume, or delete its snapshots, then extend it again',
    ),
  snapshotMissing: (snapshot: string, storage: string) =>
    new BlockstoreError(
      'SnapshotMissing',
      'failed',
      `snapshot ${snapshot} has no storage: ${storage} does not exist`,
      'restore the storage, or make the volume from another snapshot',
    ),
  snapshotNotLabelled: (snapshot: string, path: string) =>
    new BlockstoreError(
      'SnapshotExists',
      'conflict',
      `snapshot ${snapshot} cannot be created: ${path} exists and is not labelled as a snapshot of blockstore`,
      `check whose it is; if it is in the way: mv ${path} ${path}.other`,
    ),
  volumeWrittenTo: (volume: string, by: string) =>
    new BlockstoreError(
      'VolumeBusy',
      'conflict',
      `volume ${volume} cannot be copied as it is at one moment: ${by}`,
      'detach the volume and repeat the request; a pool on XFS or btrfs copies volumes that are in use',
    ),
  snapshotUnusable: (snapshot: string, reason: string) =>
    new BlockstoreError(
      'SnapshotUnusable',
      'failed',
      `the data of snapshot ${snapshot} cannot be used: ${reason}`,
      'delete the snapshot and make a new one; its volume is not affected',
    ),
};
