import { z } from 'zod';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { type Listed, listPage, listQuery } from './listing.ts';
import { metadataFilter } from './metadata-filter.ts';
import { metadataItem } from './metadata-item.ts';
import { timeFilter } from './time-filter.ts';

const text = z.string().max(255).optional();

/** What a list of snapshots can be asked for. */
export const snapshotQuery = z.strictObject({
  ...listQuery,
  name: text,
  'name~': text,
  status: text,
  volume_id: text,
  metadata: z.string().max(4096).optional(),
  project_id: text,
  user_id: text,
  created_at: text,
});
type SnapshotQuery = z.output<typeof snapshotQuery>;

/** The page of snapshots that a request asks for, of one project or, for an administrator, of all. */
export async function listSnapshots(context: Context, query: SnapshotQuery): Promise<Listed<SnapshotState>> {
  const { keys } = context.cluster.store;
  const isAll = hasRole(context.caller, 'admin') && (query.all_tenants ?? false);
  const project = isAll ? query.project_id : context.caller.projectId;
  const { volume_id: volume } = query;
  const ofProject = project === undefined ? keys.snapshots() : keys.projectSnapshots(project);
  const filters = filtersOf(query);
  // Those of a volume can be of several projects.
  if (volume !== undefined && project !== undefined) filters.push(({ projectId }) => projectId === project);
  return listPage(context, {
    records: snapshotsOf(context.cluster.store),
    index: volume === undefined ? ofProject : keys.volumeSnapshots(volume),
    query,
    matches: filters.length === 0 ? undefined : (snapshot) => filters.every((matches) => matches(snapshot)),
    sortedBy: {
      name: ({ name }) => name,
      status: ({ status }) => status,
      size: ({ size }) => size,
      volume_id: (snapshot) => snapshot.volume,
      user_id: ({ userId }) => userId,
    },
  });
}

type Filter = (snapshot: SnapshotState) => boolean;

/** Throws InvalidRequest. */
function filtersOf(query: SnapshotQuery): Filter[] {
  const { name, 'name~': part, status, user_id: user, metadata, created_at: created } = query;
  const filters: Filter[] = [];
  if (name !== undefined) filters.push((snapshot) => snapshot.name === name);
  if (part !== undefined) filters.push((snapshot) => snapshot.name.includes(part));
  if (status !== undefined) filters.push((snapshot) => snapshot.status === status);
  if (user !== undefined) filters.push(({ userId }) => userId === user);
  if (metadata !== undefined) {
    const wanted = Object.entries(metadataFilter(metadata));
    filters.push((snapshot) => wanted.every(([key, value]) => metadataItem(snapshot.metadata, key) === value));
  }
  if (created !== undefined) {
    const isWithin = timeFilter('created_at', created);
    filters.push(({ createTime }) => isWithin(createTime));
  }
  return filters;
}
