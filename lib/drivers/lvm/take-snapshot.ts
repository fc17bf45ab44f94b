import { errors } from '../../errors.ts';
import { failureOf, lvmError } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import type { OneLogicalVolume } from './reports.ts';
import { chunkBytes, snapshotRoom } from './snapshot-room.ts';
import { snapshotIdIn } from './snapshot-tags.ts';

export interface NewSnapshot {
  /** Of the volume that the origin is. */
  volumeId: string;
  name: string;
  tags: readonly string[];
}

/** Makes a snapshot of an LV: thick, with its room reserved, or thin where that is thin. Throws NoSpace, ThinPoolUnusable. */
export async function takeSnapshot(
  parts: Parts,
  volumes: LogicalVolumes,
  origin: OneLogicalVolume,
  snapshot: NewSnapshot,
): Promise<void> {
  // Nothing reads a thin snapshot before a volume is made from it, so it need not be active.
  if (origin.isThin) await takeThinSnapshot(parts, volumes, origin, { ...snapshot, activation: ['-an', '-ky'] });
  else await takeThickSnapshot(parts, volumes, origin, snapshot);
}

/** Makes an LV that shares the blocks of a thin one. `activation`: arguments of lvcreate. Throws NoSpace, ThinPoolUnusable. */
export async function takeThinSnapshot(
  { options, changes, pools }: Parts,
  volumes: LogicalVolumes,
  origin: OneLogicalVolume,
  { name, tags, activation }: Pick<NewSnapshot, 'name' | 'tags'> & { activation: readonly string[] },
): Promise<void> {
  const named = ['-n', name, ...tags.flatMap((tag) => ['--addtag', tag])];
  const args = ['lvcreate', '-y', '-s', ...activation, ...named, volumes.fullName(origin.name)];
  const answer = await pools.allocate(origin.pool, origin.sizeBytes, () => changes.command(args));
  if (answer.status === 0) return;
  const failure = failureOf(answer);
  if (failure === 'noSpace') throw pools.refused(origin.pool, answer);
  const lost = failure === 'lost' ? snapshotIdIn(origin.name) : undefined;
  if (lost !== undefined) throw errors.snapshotUnusable(lost, 'its pool has lost it, as a repair can');
  throw lvmError(args, answer, options.volumeGroup);
}

/** `urgent`: before other commands that wait. Throws NoSpace. */
export async function takeThickSnapshot(
  { options, changes }: Parts,
  volumes: LogicalVolumes,
  origin: OneLogicalVolume,
  { volumeId, name, tags, urgent }: NewSnapshot & { urgent?: true },
): Promise<void> {
  await volumes.activeDevice(volumeId, origin.name, origin);
  const room = snapshotRoom(origin.sizeBytes, options.snapshotPercent);
  const area = ['-L', `${room}b`, '-c', `${chunkBytes}b`];
  const named = ['-n', name, ...tags.flatMap((tag) => ['--addtag', tag])];
  const args = ['lvcreate', '-y', '-s', ...area, ...named, volumes.fullName(origin.name)];
  const answer = await changes.command(args, urgent ? { urgent } : {});
  if (answer.status === 0) return;
  if (failureOf(answer) === 'noSpace') throw await volumes.noSpace(room, answer);
  throw lvmError(args, answer, options.volumeGroup);
}

/** Whether an LV that was made as a snapshot is one: a creation or a deletion that was interrupted leaves one that is not. */
export function isSnapshot(found: Pick<OneLogicalVolume, 'isThickSnapshot' | 'isThin'>): boolean {
  return found.isThickSnapshot || found.isThin;
}

/** Why the data of a snapshot cannot be used; undefined when it can be. */
export function unusableReason(found: OneLogicalVolume): string | undefined {
  if (!isSnapshot(found)) return 'its creation or its deletion was interrupted';
  if (found.isOverflowed) return 'more of its volume was overwritten than it has room for (lvm_snapshot_percent)';
  if (found.isPartial) return 'it is on a missing disk';
  return undefined;
}
