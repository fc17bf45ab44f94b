import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { duration, isoTime, timeAgo, volumeSize, volumeSizeBytes } from '../format.ts';
import type { Style } from '../output.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: all fields are present, null when unset; times are ISO 8601. */
export function snapshotJson({ name, createTime, fault, ...rest }: SnapshotState): object {
  return {
    ...rest,
    name: name || null,
    sizeBytes: volumeSizeBytes(rest.size),
    createTime: isoTime(createTime),
    fault:
      fault === undefined ? null : { ...fault, ...(fault.time === undefined ? {} : { time: isoTime(fault.time) }) },
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
  const { fault } = snapshot;
  return [
    ['id', snapshot.id],
    ['name', snapshot.name],
    ['size', volumeSize(snapshot.size)],
    ['status', snapshot.status],
    ['fault', fault === undefined ? '' : fault.message],
    ['hint', fault?.hint ?? ''],
    ['failed step', fault?.step ?? ''],
    ['failed at', fault?.time === undefined ? '' : timeAgo(fault.time)],
    ['volume', snapshot.volume],
    ['user', snapshot.userId],
    ['project', snapshot.projectId],
    ['created', timeAgo(snapshot.createTime)],
  ];
}

function statusStyle({ status }: SnapshotState): Style | undefined {
  if (status.startsWith('error')) return 'red';
  return status === 'creating' || status === 'deleting' ? 'yellow' : undefined;
}
