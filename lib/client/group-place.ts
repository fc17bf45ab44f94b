import { errors } from '../errors.ts';
import { backendId, parsePlace } from '../models/backend.ts';
import { maxGroupVolumes } from '../models/group-state.ts';
import { groupsOf, volumesOfGroup } from '../models/group.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Condition, Edit, Outcome } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/** Where the volumes of a group are, and what holds as long as they are there and take one more. */
export interface GroupPlace {
  /** As `node@backend`; undefined where it has none yet. */
  place: string | undefined;
  conditions: readonly Condition[];
  edits: readonly Edit[];
}

/** Throws GroupNotFound, GroupOfOtherProject, GroupTypeDiffers. */
export async function groupPlace(
  store: Store,
  group: string,
  volume: Pick<VolumeState, 'id' | 'projectId' | 'type'>,
): Promise<GroupPlace> {
  const { projectId, volumeTypes } = await groupsOf(store).lookup(group);
  if (projectId !== volume.projectId) throw errors.groupOfOtherProject(group, volume.id);
  if (volumeTypes.length > 0 && !volumeTypes.includes(volume.type)) throw errors.groupTypeDiffers(group, volume.id);
  const [first] = await volumesOfGroup(store, group);
  const key = `group:${group}:volumes`;
  const room: Condition = { is: 'fewer', key, than: maxGroupVolumes };
  const itself: Edit = { kind: 'group', id: group, expect: { projectId } };
  if (!first) return { place: undefined, conditions: [{ is: 'empty', key }, room], edits: [itself] };
  const { id, node, backend } = first;
  const edits: Edit[] = [itself, { kind: 'volume', id, expect: { group, node, backend } }];
  return { place: backendId(node, backend), conditions: [room], edits };
}

/** The same for a new volume, which may have to be at `required`. Throws GroupOnOtherBackend as well. */
export async function placeInGroup(
  store: Store,
  { group, ...volume }: Pick<VolumeState, 'id' | 'projectId' | 'type'> & { group?: string },
  required: string | undefined,
): Promise<GroupPlace | undefined> {
  if (group === undefined) return undefined;
  const found = await groupPlace(store, group, volume);
  if (found.place === undefined || required === undefined) return found;
  const [asked, own] = [parsePlace(required), parsePlace(found.place)];
  const isThere = asked.node === own.node && (asked.backend ?? own.backend) === own.backend;
  if (!isThere) throw errors.groupOnOtherBackend(group, volume.id, { own: found.place, other: required });
  return found;
}

/** Whether another volume has joined an empty group meanwhile. Throws TooManyInGroup where the group has no place left. */
export function hasGroupChanged(
  group: string,
  { condition }: Pick<Outcome, 'word'> & { condition?: Condition },
): boolean {
  if (condition?.is === 'fewer') throw errors.tooManyInGroup(group, maxGroupVolumes);
  return condition?.is === 'empty' && condition.key === `group:${group}:volumes`;
}
