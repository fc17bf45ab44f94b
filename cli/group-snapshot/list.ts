import { findGroup } from '../../lib/models/find-group.ts';
import { groupSnapshotsOf } from '../../lib/models/group-snapshot.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { groupSnapshotColumns, groupSnapshotListJson } from './present.ts';

export interface ListGroupSnapshotsOptions {
  group?: string;
  project?: string;
  limit?: number;
  marker?: string;
}

export async function listGroupSnapshots(context: Context, options: ListGroupSnapshotsOptions): Promise<void> {
  const { project, limit, marker } = options;
  checkMarker(marker);
  await using session = await context.open();
  const { store } = session;
  await writeList(context.output, {
    records: groupSnapshotsOf(store),
    index: await indexOf(store, options),
    limit,
    marker,
    rowsOf: (states) => states.filter(({ projectId }) => (project ?? projectId) === projectId),
    showsUnreadable: true,
    noun: 'group_snapshot',
    columns: groupSnapshotColumns,
    json: groupSnapshotListJson,
  });
}

async function indexOf(store: Store, { group, project }: ListGroupSnapshotsOptions): Promise<string> {
  const { keys } = store;
  if (group !== undefined) return keys.snapshotsOfGroup((await findGroup(store, group)).id);
  return project === undefined ? keys.groupSnapshots() : keys.projectGroupSnapshots(project);
}
