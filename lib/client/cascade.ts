import { type BlockstoreError, asError, errors } from '../errors.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import type { Condition, Outcome } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxSnapshots } from './abandon.ts';
import type { ClusterCommands } from './cluster-commands.ts';
import { type TaskPlan, refusal } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

/**
 * Returns how a volume begins to be deleted with its snapshots: its node deletes them before it, and they have their records until then.
 * Throws RecordUnreadable, SnapshotOfGroup.
 */
export async function cascadePlan(store: Store, { id }: VolumeState): Promise<TaskPlan> {
  const ids = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(id), '0', '-1'));
  const { states, unreadable } = await snapshotsOf(store).readAll(ids);
  const [first] = unreadable;
  if (first) throw errors.recordUnreadable(`snapshot ${first.id}`, first.reason);
  const ofGroup = states.find(({ groupSnapshot }) => groupSnapshot !== '');
  if (ofGroup) throw errors.snapshotOfGroup(ofGroup.id, ofGroup.groupSnapshot);
  return {
    transition: 'startDelete',
    set: { withSnapshots: 'true' },
    edits: states.map((snapshot) => ({
      kind: 'snapshot',
      id: snapshot.id,
      expect: { status: snapshot.status },
      set: { status: 'deleting' },
      unset: ['fault'],
    })),
    expect: {},
    conditions: [{ is: 'empty', key: `volume:${id}:copies` }, ...states.flatMap((one) => unused(one.id))],
    isUnderWay: true,
  };
}

/** Nothing reads the snapshot. */
export function unused(snapshot: string): Condition[] {
  return [
    { is: 'empty', key: `snapshot:${snapshot}:copies` },
    { is: 'empty', key: `snapshot:${snapshot}:jobs` },
  ];
}

/** Returns why a snapshot cannot be deleted of which unused() does not hold. */
export async function readerOf(store: Store, snapshot: string): Promise<BlockstoreError> {
  const copies = await store.read((redis) => redis.zrange(store.keys.snapshotCopies(snapshot), '0', '4'));
  return copies.length > 0 ? errors.snapshotIsCopied(snapshot, copies) : errors.snapshotIsRead(snapshot);
}

/** Returns why a volume cannot be deleted that is being copied. */
export async function copiesOf(store: Store, volume: string): Promise<BlockstoreError> {
  const copies = await store.read((redis) => redis.zrange(store.keys.volumeCopies(volume), '0', '4'));
  return errors.volumeIsCopied(volume, copies);
}

/** Returns why a volume could not begin to be deleted, alone or with its snapshots. */
export async function neededBy(store: Store, volume: string, outcome: Outcome): Promise<BlockstoreError> {
  const key = outcome.word === 'condition' && outcome.condition.is === 'empty' ? outcome.condition.key : '';
  const [, kind, id = '', index] = /^(volume|snapshot):([^:]+):(\w+)$/.exec(key) ?? [];
  if (kind === undefined) return errors.snapshotsChange(volume);
  if (kind === 'snapshot') return readerOf(store, id);
  if (index === 'copies') return copiesOf(store, volume);
  const snapshots = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(volume), '0', '4'));
  return errors.volumeHasSnapshots(volume, snapshots);
}

/**
 * Deletes a volume with its snapshots: see VolumeCommands.delete(). Snapshots beyond 200 are deleted before, one after the other, each
 * within `excessMs`. Those of a volume that hosts have, or that is kept for one, stay; a volume in error is deleted with its reservations.
 * Throws also VolumeReserved.
 */
export async function deleteWithSnapshots(
  { store, commands, snapshots }: Pick<ClusterCommands, 'store' | 'commands' | 'snapshots'>,
  id: string,
  { excessMs, ...options }: SendOptions & { excessMs: number },
): Promise<void> {
  const index = store.keys.volumeSnapshots(id);
  for (;;) {
    const count = await snapshotsOf(store).count(index);
    if (count <= maxSnapshots) break;
    const volume = await volumesOf(store).lookup(id);
    const isKept = volume.attachStatus !== 'detached' || volume.status === 'reserved';
    if (isKept) throw await refusal(store, volume, 'startDelete');
    const [newest = ''] = await store.read((redis) => redis.zrange(index, '-1', '-1'));
    try {
      await snapshots.delete(newest, { deadlineMs: excessMs });
    } catch (error) {
      if (asError(error).code === 'NodeLost') break; // they go with the volume
      throw error;
    }
  }
  await commands.delete(id, { ...options, withSnapshots: true });
}
