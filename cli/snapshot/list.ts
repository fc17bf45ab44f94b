import { findVolume } from '../../lib/models/find-volume.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { snapshotColumns, snapshotJson } from './present.ts';

export interface ListSnapshotsOptions {
  volume?: string;
  project?: string;
  limit?: number;
  marker?: string;
}

export async function listSnapshots(context: Context, options: ListSnapshotsOptions): Promise<void> {
  const { project, limit, marker } = options;
  checkMarker(marker);
  await using session = await context.open();
  const { store } = session;
  await writeList(context.output, {
    records: snapshotsOf(store),
    index: await indexOf(store, options),
    limit,
    marker,
    rowsOf: (states) => states.filter(({ projectId }) => (project ?? projectId) === projectId),
    showsUnreadable: true,
    noun: 'snapshot',
    columns: snapshotColumns,
    json: snapshotJson,
  });
}

async function indexOf(store: Store, { volume, project }: ListSnapshotsOptions): Promise<string> {
  const { keys } = store;
  if (volume !== undefined) return keys.volumeSnapshots((await findVolume(store, volume)).id);
  return project === undefined ? keys.snapshots() : keys.projectSnapshots(project);
}
