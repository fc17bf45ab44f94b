import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { faultFacts, faultJson } from '../fault.ts';
import { duration, isoTime, metadataText, timeAgo, volumeSize, volumeSizeBytes } from '../format.ts';
import type { Style } from '../output.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: all fields are present, null when unset; times are ISO 8601. */
export function snapshotJson({ name, description, groupSnapshot, createTime, fault, ...rest }: SnapshotState): object {
  return {
    ...rest,
    groupSnapshot: groupSnapshot || null,
    name: name || null,
    description: description || null,
    sizeBytes: volumeSizeBytes(rest.size),
    createTime: isoTime(createTime),
    fault: faultJson(fault),
  };
}

export const snapshotColumns: readonly Column<SnapshotState>[] = [
  { title: 'ID', text: (snapshot) => snapshot.id },
  { title: 'NAME', text: (snapshot) => snapshot.name, maxWidth: 32 },
  { title: 'SIZE', text: (snapshot) => volumeSize(snapshot.size), right: true },
  { title: 'STATUS', text: (snapshot) => snapshot.status, style: statusStyle },
  { title: 'VOLUME', text: (snapshot) => snapshot.volume },
  { title: 'AGE', text: (snapshot) => duration(Date.now() - snapshot.createTime), right: true },
];

export function snapshotFacts(snapshot: SnapshotState): [string, string][] {
  return [
    ['id', snapshot.id],
    ['name', snapshot.name],
    ['size', volumeSize(snapshot.size)],
    ['status', snapshot.status],
    ...faultFacts(snapshot.fault),
    ['volume', snapshot.volume],
    ['group snapshot', snapshot.groupSnapshot],
    ['description', snapshot.description],
    ['metadata', metadataText(snapshot)],
    ['user', snapshot.userId],
    ['project', snapshot.projectId],
    ['created', timeAgo(snapshot.createTime)],
  ];
}

export function statusStyle({ status }: Pick<SnapshotState, 'status'>): Style | undefined {
  if (status.startsWith('error')) return 'red';
  return status === 'creating' || status === 'deleting' ? 'yellow' : undefined;
}
