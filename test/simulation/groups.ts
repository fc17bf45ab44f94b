import type { GroupCommands } from '../../lib/client/group-commands.ts';
import type { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { memberId } from '../../lib/models/group-snapshot-state.ts';
import { membersOf } from '../../lib/models/group-snapshot.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Model } from './model.ts';

const deadline = { deadlineMs: 120_000 };
const most = 3;

interface Commands {
  store: Store;
  groups: GroupCommands;
  groupSnapshots: GroupSnapshotCommands;
}

/** Takes snapshots of a volume and others of its place at one moment; the group goes at once, also where it has none. */
export async function snapshotTogether(
  { store, groups, groupSnapshots }: Commands,
  volume: string,
  { group, id, snapshots }: { group: string; id: string; snapshots: Model },
): Promise<void> {
  const { node, projectId } = await volumesOf(store).lookup(volume);
  const near = await store.read((redis) => redis.zrange(store.keys.nodeVolumes(node), '0', String(5 * most)));
  const { states } = await volumesOf(store).readAll(near.filter((one) => one !== volume));
  const others = states.filter((one) => one.projectId === projectId && one.group === '').slice(0, most - 1);
  const members = [volume, ...others.map((one) => one.id)];
  const owner = { userId: 'user', projectId };
  const known = members.map((one) => snapshots.known(memberId(id, one)));
  await groups.create({ ...owner, id: group });
  try {
    await groups.update(group, { add: members });
    for (const one of known) one.uncertain = true; // until it is known how it has ended
    await groupSnapshots.create(group, { ...owner, id }, deadline);
    for (const one of known) one.made = true;
    for (const one of known) one.uncertain = false;
  } finally {
    for (const one of members) await groups.update(group, { remove: [one] }).catch(() => undefined);
  }
}

/** Deletes the group snapshot that a snapshot is one of. Returns whether it is one. */
export async function removedTogether(
  { store, groupSnapshots }: Commands,
  snapshot: string,
  snapshots: Model,
): Promise<boolean> {
  const { groupSnapshot = '' } = (await snapshotsOf(store).find(snapshot)) ?? {};
  if (groupSnapshot === '') return false;
  const ids = [...new Set([snapshot, ...(await membersOf(store, groupSnapshot)).map(({ id }) => id)])];
  for (const id of ids) snapshots.known(id).deleteAsked = true;
  await groupSnapshots.delete(groupSnapshot, deadline);
  // Those of a lost node are single ones now.
  for (const id of ids) if (!(await snapshotsOf(store).find(id))) snapshots.known(id).deleted = true;
  return true;
}

/** A volume that is to be deleted leaves the group that an interrupted client has left it in. */
export async function leaveGroup({ store, groups }: Commands, volume: string): Promise<void> {
  const { group = '' } = (await volumesOf(store).find(volume)) ?? {};
  if (group !== '') await groups.update(group, { remove: [volume] });
}
