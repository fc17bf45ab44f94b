import { BlockstoreError } from './blockstore-error.ts';
import { timeLimit } from './format-text.ts';

/** Errors of snapshots of groups of volumes. */
export const groupSnapshotErrors = {
  groupSnapshotNotFound: (snapshot: string) =>
    new BlockstoreError(
      'GroupSnapshotNotFound',
      'notFound',
      `group snapshot ${snapshot} does not exist`,
      'list the group snapshots: blockstore group-snapshot list',
    ),
  groupSnapshotAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'GroupSnapshotAmbiguous',
      'invalid',
      `${reference} matches more than one group snapshot: ${matches.join(', ')}`,
      'give the full id',
    ),
  groupSnapshotNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'GroupSnapshotNotNamed',
      'notFound',
      `no group snapshot is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  groupSnapshotExists: (snapshot: string, difference: string) =>
    new BlockstoreError(
      'GroupSnapshotExists',
      'conflict',
      `group snapshot ${snapshot} exists, and ${difference}`,
      'omit the id, or give another one',
    ),
  groupSnapshotBeingMade: (snapshot: string) =>
    new BlockstoreError(
      'SnapshotBusy',
      'conflict',
      `group snapshot ${snapshot} is being created`,
      `wait until that has ended: blockstore group-snapshot show ${snapshot}`,
    ),
  groupSnapshotNotFinished: (snapshot: string, operation: string, limitMs: number) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${operation} ${snapshot} did not finish within ${timeLimit(limitMs)}`,
      `the operation continues; see "blockstore group-snapshot show ${snapshot}"`,
    ),
  groupSnapshotLost: (snapshot: string, operation: string, state: string) =>
    new BlockstoreError(
      'ChangeLost',
      'unavailable',
      `group snapshot ${snapshot} is ${state}: Redis lost the ${operation}, or another user changed it since`,
      'check it, then repeat the command: blockstore group-snapshot list',
    ),
  groupEmpty: (group: string) =>
    new BlockstoreError(
      'GroupEmpty',
      'conflict',
      `group ${group} has no volume`,
      `add some: blockstore group update ${group} --add VOLUME`,
    ),
  groupHasSnapshots: (group: string, snapshots: readonly string[]) =>
    new BlockstoreError(
      'GroupHasSnapshots',
      'conflict',
      `group ${group} has group snapshots: ${snapshots.join(', ')}`,
      'delete them first: blockstore group-snapshot delete',
    ),
  snapshotOfGroup: (snapshot: string, groupSnapshot: string) =>
    new BlockstoreError(
      'SnapshotOfGroup',
      'conflict',
      `snapshot ${snapshot} is one of group snapshot ${groupSnapshot}, and is not deleted alone`,
      `delete them all: blockstore group-snapshot delete ${groupSnapshot}`,
    ),
};
