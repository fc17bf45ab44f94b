import { GroupCommands } from '../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { memberId } from '../../lib/models/group-snapshot-state.ts';
import { groupSnapshotsOf } from '../../lib/models/group-snapshot.ts';
import { groupsOf, volumesOfGroup } from '../../lib/models/group.ts';
import type { Place } from './place.ts';

/** Deletes all groups and their snapshots through the daemon; the volumes stay. */
export async function clearGroups({ store, commands }: Place, deadlineMs: number): Promise<void> {
  const groups = new GroupCommands(store, commands);
  const snapshots = new GroupSnapshotCommands(store, new RequestClient(store), 'volume');
  for await (const { id } of groupSnapshotsOf(store).iterate(store.keys.groupSnapshots())) {
    await snapshots.delete(id, { deadlineMs });
  }
  for await (const { id } of groupsOf(store).iterate(store.keys.groups())) {
    const volumes = await volumesOfGroup(store, id);
    await groups.update(id, { remove: volumes.map((volume) => volume.id) });
    await groups.delete(id);
  }
}

/** Parts by ids, with the snapshots that a group snapshot has of volumes: their ids follow from its own. */
export function withMembers(parts: ReadonlyMap<string, string>): Map<string, string> {
  const [group = ''] = [...parts].find(([, part]) => part === groupSnapshotPart) ?? [];
  const members = [...parts].map(([id, part]): [string, string] => [memberId(group, id), `snapshot of ${part}`]);
  return new Map([...parts, ...members]);
}

/** The part that group snapshots of scenes have. */
export const groupSnapshotPart = 'group snapshot';
