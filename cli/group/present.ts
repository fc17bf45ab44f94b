import { backendId } from '../../lib/models/backend.ts';
import type { GroupState } from '../../lib/models/group-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { duration, isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json. */
export function groupListJson({ name, description, createTime, ...rest }: GroupState): object {
  return { ...rest, name: name || null, description: description || null, createTime: isoTime(createTime) };
}

/** The same with the volumes of the group. */
export function groupJson(group: GroupState, volumes: readonly VolumeState[]): object {
  return { ...groupListJson(group), backend: placeOf(volumes) || null, volumes: volumes.map(({ id }) => id) };
}

export const groupColumns: readonly Column<GroupState>[] = [
  { title: 'ID', text: (group) => group.id },
  { title: 'NAME', text: (group) => group.name, maxWidth: 32 },
  { title: 'PROJECT', text: (group) => group.projectId, maxWidth: 32 },
  { title: 'AGE', text: (group) => duration(Date.now() - group.createTime), right: true },
];

export function groupFacts(group: GroupState, volumes: readonly VolumeState[]): [string, string][] {
  return [
    ['id', group.id],
    ['name', group.name],
    ['description', group.description],
    ['backend', placeOf(volumes)],
    ...volumes.map(({ id, name, status }): [string, string] => [
      'volume',
      [id, name, status].filter(Boolean).join(' '),
    ]),
    ['user', group.userId],
    ['project', group.projectId],
    ['created', timeAgo(group.createTime)],
  ];
}

function placeOf([first]: readonly VolumeState[]): string {
  return first ? backendId(first.node, first.backend) : '';
}
