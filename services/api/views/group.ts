import { z } from 'zod';
import { type GroupSnapshotState } from '../../../lib/models/group-snapshot-state.ts';
import type { GroupState } from '../../../lib/models/group-state.ts';
import type { GroupTypeState } from '../../../lib/models/group-type-state.ts';
import { snapshotStatuses } from '../../../lib/models/snapshot-state.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Context } from '../call.ts';
import { hasRole } from '../caller.ts';
import { since, time } from '../schemas.ts';
import { apiTime } from './time.ts';

const text = z.string().nullable();

export const groupSummaryDocument = z
  .strictObject({ id: z.string(), name: text })
  .meta({ id: 'GroupSummary', description: 'A group in lists without details' });

export const groupDocument = z
  .strictObject({
    id: z.string(),
    name: text,
    description: text,
    status: z.literal('available'),
    created_at: time,
    group_type: text,
    volume_types: z.array(z.string()).describe('Those that its volumes can have; none: any'),
    availability_zone: text.describe('Of its volumes; null while it has none'),
    group_snapshot_id: since(14, z.null()),
    source_group_id: since(14, z.null()),
    volumes: since(25, z.array(z.string())),
    replication_status: since(38, z.literal('disabled')),
    project_id: since(58, z.string()),
  })
  .meta({ id: 'Group', description: 'Volumes of one backend whose snapshots are taken at one moment' });

export function groupSummaryView({ id, name }: Pick<GroupState, 'id' | 'name'>): z.input<typeof groupSummaryDocument> {
  return { id, name: name || null };
}

/** `listsVolumes`: the request asks for their ids. */
export function groupView(
  group: GroupState,
  volumes: readonly VolumeState[],
  { version, listsVolumes }: Pick<Context, 'version'> & { listsVolumes: boolean },
): z.input<typeof groupDocument> {
  const { description, createTime, type, volumeTypes, projectId } = group;
  return {
    ...groupSummaryView(group),
    description: description || null,
    status: 'available',
    created_at: apiTime(createTime),
    group_type: type || null,
    volume_types: [...volumeTypes],
    availability_zone: volumes[0]?.availabilityZone ?? null,
    ...(version >= 14 ? { group_snapshot_id: null, source_group_id: null } : {}),
    ...(version >= 25 && listsVolumes ? { volumes: volumes.map(({ id }) => id) } : {}),
    ...(version >= 38 ? { replication_status: 'disabled' } : {}),
    ...(version >= 58 ? { project_id: projectId } : {}),
  };
}

export const groupSnapshotSummaryDocument = z
  .strictObject({ id: z.string(), name: text, group_type_id: text })
  .meta({ id: 'GroupSnapshotSummary', description: 'A group snapshot in lists without details' });

export const groupSnapshotDocument = z
  .strictObject({
    id: z.string(),
    name: text,
    description: text,
    status: z.enum(snapshotStatuses),
    created_at: time,
    group_id: z.string(),
    group_type_id: text,
    project_id: since(58, z.string()),
  })
  .meta({ id: 'GroupSnapshot', description: 'Snapshots of all volumes of a group, of one moment' });

export function groupSnapshotSummaryView({
  id,
  name,
  type,
}: GroupSnapshotState): z.input<typeof groupSnapshotSummaryDocument> {
  return { id, name: name || null, group_type_id: type || null };
}

export function groupSnapshotView(
  snapshot: GroupSnapshotState,
  { version }: Pick<Context, 'version'>,
): z.input<typeof groupSnapshotDocument> {
  const { description, status, createTime, group, projectId } = snapshot;
  return {
    ...groupSnapshotSummaryView(snapshot),
    description: description || null,
    status,
    created_at: apiTime(createTime),
    group_id: group,
    ...(version >= 58 ? { project_id: projectId } : {}),
  };
}

export const groupTypeDocument = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    description: text,
    is_public: z.boolean(),
    group_specs: z.record(z.string(), z.string()).optional().describe('Shown to administrators'),
  })
  .meta({ id: 'GroupType', description: 'A type of groups' });

export function groupTypeView(
  { id, name, description, isPublic, specs }: GroupTypeState,
  { caller }: Pick<Context, 'caller'>,
): z.input<typeof groupTypeDocument> {
  const shown = { id, name, description: description || null, is_public: isPublic };
  return hasRole(caller, 'admin') ? { ...shown, group_specs: { ...specs } } : shown;
}
