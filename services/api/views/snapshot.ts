import { z } from 'zod';
import { type SnapshotState, snapshotStatuses } from '../../../lib/models/snapshot-state.ts';
import type { Context } from '../call.ts';
import { since, time } from '../schemas.ts';
import { apiTime } from './time.ts';

const text = z.string().nullable();
const summary = {
  id: z.string(),
  name: text,
  description: text,
  created_at: time,
  updated_at: z.null(),
  status: z.enum(snapshotStatuses),
  size: z.int().min(0).describe('GiB of the volume; 0: 100 MiB'),
  volume_id: z.string(),
  metadata: z.record(z.string(), z.string()),
};

export const snapshotSummaryDocument = z
  .strictObject(summary)
  .meta({ id: 'SnapshotSummary', description: 'A snapshot in lists without details' });

export const snapshotDocument = z
  .strictObject({
    ...summary,
    'os-extended-snapshot-attributes:progress': z.enum(['0%', '100%']),
    'os-extended-snapshot-attributes:project_id': z.string(),
    group_snapshot_id: since(14, text),
    user_id: since(41, z.string()),
    consumes_quota: since(65, z.literal(true)),
  })
  .meta({ id: 'Snapshot', description: 'A snapshot of a volume' });

/** The short form of lists. */
export function snapshotSummaryView(snapshot: SnapshotState): z.input<typeof snapshotSummaryDocument> {
  const { id, name, description, createTime, status, size, volume, metadata } = snapshot;
  return {
    id,
    name: name || null,
    description: description || null,
    created_at: apiTime(createTime),
    updated_at: null,
    status,
    size,
    volume_id: volume,
    metadata,
  };
}

/** The document of one snapshot. */
export function snapshotView(
  snapshot: SnapshotState,
  { version }: Pick<Context, 'version'>,
): z.input<typeof snapshotDocument> {
  const { status, projectId, userId, groupSnapshot } = snapshot;
  const isIncomplete = status === 'creating' || status === 'error';
  return {
    ...snapshotSummaryView(snapshot),
    'os-extended-snapshot-attributes:progress': isIncomplete ? '0%' : '100%',
    'os-extended-snapshot-attributes:project_id': projectId,
    ...(version >= 14 ? { group_snapshot_id: groupSnapshot || null } : {}),
    ...(version >= 41 ? { user_id: userId } : {}),
    ...(version >= 65 ? { consumes_quota: true } : {}),
  };
}
