import { failureOf, lvmError } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import type { OneLogicalVolume } from './reports.ts';
import { chunkBytes, snapshotRoom } from './snapshot-room.ts';

/** Makes a snapshot of an LV of the volume `volumeId`, with its room reserved. Throws NoSpace. */
export async function takeSnapshot(
  { options, changes }: Parts,
  volumes: LogicalVolumes,
  origin: OneLogicalVolume,
  { volumeId, name, tags }: { volumeId: string; name: string; tags: readonly string[] },
): Promise<void> {
  await volumes.activeDevice(volumeId, origin.name, origin);
  const room = snapshotRoom(origin.sizeBytes, options.snapshotPercent);
  const area = ['-L', `${room}b`, '-c', `${chunkBytes}b`];
  const named = ['-n', name, ...tags.flatMap((tag) => ['--addtag', tag])];
  const args = ['lvcreate', '-y', '-s', ...area, ...named, volumes.fullName(origin.name)];
  const answer = await changes.command(args);
  if (answer.status === 0) return;
  if (failureOf(answer) === 'noSpace') throw await volumes.noSpace(room, answer);
  throw lvmError(args, answer, options.volumeGroup);
}

/** Whether an LV that was made as a snapshot is one: a creation or a deletion that was interrupted leaves one that is not. */
export function isSnapshot(found: Pick<OneLogicalVolume, 'isThickSnapshot'>): boolean {
  return found.isThickSnapshot;
}

/** Why the data of a snapshot cannot be used; undefined when it can be. */
export function unusableReason(found: OneLogicalVolume): string | undefined {
  if (!isSnapshot(found)) return 'its creation or its deletion was interrupted';
  if (found.isOverflowed) return 'more of its volume was overwritten than it has room for (lvm_snapshot_percent)';
  if (found.isPartial) return 'it is on a missing disk';
  return undefined;
}
