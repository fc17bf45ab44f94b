import { BlockstoreError } from './blockstore-error.ts';
import { timeLimit } from './format-text.ts';
import { sizeText } from './volume-size.ts';

/** Errors of snapshots on their storage. */
export const snapshotErrors = {
  snapshotNotFound: (snapshot: string) =>
    new BlockstoreError(
      'SnapshotNotFound',
      'notFound',
      `snapshot ${snapshot} does not exist`,
      'list the snapshots: blockstore snapshot list',
    ),
  snapshotAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'SnapshotAmbiguous',
      'invalid',
      `${reference} matches more than one snapshot: ${matches.join(', ')}`,
      'give the full id',
    ),
  snapshotNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'SnapshotNotNamed',
      'notFound',
      `no snapshot is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  snapshotExists: (snapshot: string, difference: string) =>
    new BlockstoreError(
      'SnapshotExists',
      'conflict',
      `snapshot ${snapshot} exists, and ${difference}`,
      'omit the id, or give another one',
    ),
  snapshotBeingMade: (snapshot: string) =>
    new BlockstoreError(
      'SnapshotBusy',
      'conflict',
      `snapshot ${snapshot} is being created`,
      `wait until that has ended: blockstore snapshot show ${snapshot}`,
    ),
  snapshotsChange: (volume: string) =>
    new BlockstoreError(
      'SnapshotBusy',
      'conflict',
      `a snapshot of volume ${volume} is being changed by another request`,
      `see them, then repeat the command: blockstore snapshot list --volume ${volume}`,
    ),
  snapshotNotFinished: (snapshot: string, operation: string, limitMs: number) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${operation} of snapshot ${snapshot} did not finish within ${timeLimit(limitMs)}`,
      `the operation continues; see "blockstore snapshot show ${snapshot}"`,
    ),
  sizeTooSmall: (origin: string, size: number, newSize: number) =>
    new BlockstoreError(
      'SizeTooSmall',
      'invalid',
      `${origin} requires ${sizeText(size)}: a volume of ${sizeText(newSize)} cannot have its data`,
      `give a size of ${size} or more`,
    ),
  volumeTooSmall: (origin: string, size: number, volume: string, volumeSize: number) =>
    new BlockstoreError(
      'SizeTooSmall',
      'invalid',
      `${origin} requires ${sizeText(size)}, and volume ${volume} has ${sizeText(volumeSize)}`,
      `extend it first: blockstore volume extend ${volume} ${size}`,
    ),
  originNotReady: (origin: string, status: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `${origin} is ${status}: no volume can be made from it now`,
      'wait until its operation has ended, or choose another one',
    ),
  otherBackend: (origin: string, place: string, requested: string) =>
    new BlockstoreError(
      'OtherBackend',
      'invalid',
      `${origin} is on ${place}, and a volume of a group cannot be made from it on ${requested}`,
      'omit --node: the volume is made beside it; or make it without a group, and add it to the group then',
    ),
  originInUse: (volume: string, status: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is ${status}: its data cannot be sent to another backend while a host can write to it`,
      `take a snapshot of it, and make the volume from that: blockstore snapshot create ${volume} --force`,
    ),
  volumeIsCopied: (volume: string, copies: readonly string[]) =>
    new BlockstoreError(
      'VolumeIsCopied',
      'conflict',
      `volume ${volume} is being copied to volume ${copies.join(', ')}`,
      'wait until these are available',
    ),
  snapshotIsRead: (snapshot: string) =>
    new BlockstoreError(
      'SnapshotIsCopied',
      'conflict',
      `snapshot ${snapshot} is being copied to a backup or an image`,
      'wait until that has ended: blockstore events',
    ),
  snapshotNotReady: (snapshot: string, status: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `snapshot ${snapshot} is ${status}: its data cannot be read now`,
      'wait until its operation has ended, or choose another one',
    ),
  /** `of`: what it reads, such as `snapshot <id>`. */
  jobInterrupted: (operation: string, of: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `stopped waiting for the ${operation} of ${of}`,
      'it continues in the background: blockstore events',
    ),
  /** `operation`: what a command was doing itself. `of`: such as `volume <id>`. */
  undone: (operation: string, of: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `the ${operation} of ${of} was interrupted, and nothing of it stays`,
      'to do it, repeat the command',
    ),
  jobNotFinished: (of: string, operation: string, limitMs: number) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${operation} of ${of} did not finish within ${timeLimit(limitMs)}`,
      `the operation continues; see "blockstore ${operation === 'backup' ? 'backup' : 'image'} list"`,
    ),
  jobLost: (of: string, operation: string) =>
    new BlockstoreError(
      'ChangeLost',
      'unavailable',
      `the ${operation} of ${of} has ended, and what became of it was not heard`,
      'the reason is in "blockstore events"; repeat the command',
    ),
  snapshotIsCopied: (snapshot: string, copies: readonly string[]) =>
    new BlockstoreError(
      'SnapshotIsCopied',
      'conflict',
      `snapshot ${snapshot} is being copied to volume ${copies.join(', ')}`,
      'wait until these are available',
    ),
  volumeHasSnapshots: (volume: string, snapshots: readonly string[]) =>
    new BlockstoreError(
      'VolumeHasSnapshots',
      'conflict',
      `volume ${volume} has snapshots: ${snapshots.join(', ')}`,
      'delete them first, or all of it at once: blockstore volume delete --cascade',
    ),
  snapshotOfAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}: the snapshot would have what is on the storage at that moment, without what the host has not written yet`,
      'detach it, or take the snapshot all the same: --force',
    ),
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
  snapshotNotLatest: (snapshot: string, volume: string, latest: string | undefined) =>
    new BlockstoreError(
      'SnapshotNotLatest',
      'invalid',
      latest === undefined
        ? `volume ${volume} has no snapshots: it cannot go back to snapshot ${snapshot}`
        : `volume ${volume} can only go back to its latest snapshot, ${latest}, not to ${snapshot}`,
      `${latest === undefined ? '' : 'name that, or '}make a volume of this one: blockstore volume create --snapshot ${snapshot}`,
    ),
  sizeDiffers: (volume: string, size: number, snapshot: string, snapshotSize: number) =>
    new BlockstoreError(
      'SizeDiffers',
      'invalid',
      `volume ${volume} has ${sizeText(size)}, and had ${sizeText(snapshotSize)} when snapshot ${snapshot} was taken`,
      `make a volume of the snapshot: blockstore volume create --snapshot ${snapshot}`,
    ),
  revertDiffers: (volume: string, snapshot: string) =>
    new BlockstoreError(
      'RevertFailed',
      'failed',
      `volume ${volume} has other data than snapshot ${snapshot} after all of them were written`,
      'check the disks of the node, and what else writes to the storage of the volume; then revert it again',
    ),
  snapshotRoomTooSmall: (volume: string, snapshots: readonly string[]) =>
    new BlockstoreError(
      'SnapshotRoomTooSmall',
      'conflict',
      `all of volume ${volume} would be overwritten, for which its snapshots have too little room: ${snapshots.join(', ')}`,
      'delete these snapshots first; later ones have room with lvm_snapshot_percent = 100',
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
