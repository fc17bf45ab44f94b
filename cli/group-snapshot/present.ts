import type { GroupSnapshotState } from '../../lib/models/group-snapshot-state.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { faultFacts, faultJson } from '../fault.ts';
import { duration, isoTime, timeAgo } from '../format.ts';
import { statusStyle } from '../snapshot/present.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json. */
export function groupSnapshotListJson({ name, description, createTime, fault, ...rest }: GroupSnapshotState): object {
  return {
    ...rest,
    name: name || null,
    description: description || null,
    createTime: isoTime(createTime),
    fault: faultJson(fault),
  };
}

/** The same with its snapshots. */
export function groupSnapshotJson(state: GroupSnapshotState, snapshots: readonly SnapshotState[]): object {
  return { ...groupSnapshotListJson(state), snapshots: snapshots.map(({ id, volume }) => ({ id, volume })) };
}

export const groupSnapshotColumns: readonly Column<GroupSnapshotState>[] = [
  { title: 'ID', text: (one) => one.id },
  { title: 'NAME', text: (one) => one.name, maxWidth: 32 },
  { title: 'STATUS', text: (one) => one.status, style: statusStyle },
  { title: 'GROUP', text: (one) => one.group },
  { title: 'AGE', text: (one) => duration(Date.now() - one.createTime), right: true },
];

export function groupSnapshotFacts(state: GroupSnapshotState, snapshots: readonly SnapshotState[]): [string, string][] {
  return [
    ['id', state.id],
    ['name', state.name],
    ['status', state.status],
    ...faultFacts(state.fault),
    ['group', state.group],
    ...snapshots.map(({ id, volume }): [string, string] => ['snapshot', `${id} of volume ${volume}`]),
    ['description', state.description],
    ['user', state.userId],
    ['project', state.projectId],
    ['created', timeAgo(state.createTime)],
  ];
}
