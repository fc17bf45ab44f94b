import { errors } from '../../lib/errors.ts';
import { lookupNode } from '../../lib/models/node.ts';
import { isVolumeStatus, volumeStatuses } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { withHosts } from './host.ts';
import { volumeColumns, volumeJson } from './present.ts';

export interface ListOptions {
  node?: string;
  project?: string;
  status?: string;
  limit?: number;
  marker?: string;
}

export async function listVolumes(context: Context, options: ListOptions): Promise<void> {
  const { node, project, status, limit, marker } = options;
  if (status !== undefined && !isVolumeStatus(status)) {
    throw errors.invalidArgument('status', status, `one of ${volumeStatuses.join(', ')}`);
  }
  checkMarker(marker);
  await using session = await context.open();
  const { store } = session;
  if (node !== undefined) await lookupNode(store, node);
  await writeList(context.output, {
    records: volumesOf(store),
    index: indexOf(store, options),
    limit,
    marker,
    rowsOf: (states) =>
      withHosts(
        store,
        states.filter(
          (volume) => (project ?? volume.projectId) === volume.projectId && (status ?? volume.status) === volume.status,
        ),
      ),
    showsUnreadable: status === undefined,
    noun: 'volume',
    columns: volumeColumns,
    json: volumeJson,
  });
}

function indexOf({ keys }: Store, { node, project }: ListOptions): string {
  if (node !== undefined) return keys.nodeVolumes(node);
  return project === undefined ? keys.volumes() : keys.projectVolumes(project);
}
