import { z } from 'zod';
import { backendId } from '../../lib/models/backend.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { listPage, listQuery, trueOrFalse } from './listing.ts';
import { metadataFilter } from './metadata-filter.ts';
import { metadataItem } from './metadata-item.ts';
import { timeFilter } from './time-filter.ts';
import { apiStatus } from './views/volume.ts';

/** What a list of volumes can be asked for. */
export const volumeQuery = z.strictObject({
  ...listQuery,
  name: z.string().max(255).optional(),
  'name~': z.string().max(255).optional(),
  status: z.string().max(255).optional(),
  metadata: z.string().max(4096).optional(),
  project_id: z.string().max(255).optional(),
  user_id: z.string().max(255).optional(),
  availability_zone: z.string().max(255).optional(),
  bootable: trueOrFalse.optional(),
  host: z.string().max(255).optional(),
  volume_type_id: z.string().max(255).optional(),
  snapshot_id: z.string().max(255).optional(),
  source_volid: z.string().max(255).optional(),
  created_at: z.string().max(255).optional(),
});
type VolumeQuery = z.output<typeof volumeQuery>;

/** The page of volumes that a request asks for, of one project or, for an administrator, of all. */
export async function listVolumes(context: Context, query: VolumeQuery) {
  const { store } = context.cluster;
  const isAll = hasRole(context.caller, 'admin') && (query.all_tenants ?? false);
  const project = isAll ? query.project_id : context.caller.projectId;
  return listPage(context, {
    records: volumesOf(store),
    index: project === undefined ? store.keys.volumes() : store.keys.projectVolumes(project),
    query,
    matches: filterOf(query),
    sortedBy: {
      name: (volume) => volume.name,
      status: apiStatus,
      size: (volume) => volume.size,
      availability_zone: (volume) => volume.availabilityZone,
      bootable: (volume) => String(volume.isBootable),
      host: ({ node, backend }) => backendId(node, backend),
      user_id: (volume) => volume.userId,
    },
  });
}

type Filter = (volume: VolumeState) => boolean;

/** Undefined where nothing is filtered. Throws InvalidRequest. */
function filterOf(query: VolumeQuery): Filter | undefined {
  const filters: Filter[] = [];
  const add = <T>(value: T | undefined, filterFor: (value: T) => Filter) => {
    if (value !== undefined) filters.push(filterFor(value));
  };
  add(
    query.name,
    (text) =>
      ({ name: own }) =>
        own === text,
  );
  add(
    query['name~'],
    (text) =>
      ({ name: own }) =>
        own.includes(text),
  );
  add(query.status, (text) => (volume) => apiStatus(volume) === text);
  add(
    query.user_id,
    (text) =>
      ({ userId }) =>
        userId === text,
  );
  add(
    query.availability_zone,
    (text) =>
      ({ availabilityZone }) =>
        availabilityZone === text,
  );
  add(query.bootable, (isBootable) => (volume) => volume.isBootable === isBootable);
  add(
    query.host,
    (text) =>
      ({ node, backend }) =>
        [node, `${node}@${backend}`].includes(text.split('#', 1)[0] ?? ''),
  );
  add(
    query.volume_type_id,
    (text) =>
      ({ type }) =>
        type === text,
  );
  add(
    query.snapshot_id,
    (text) =>
      ({ fromSnapshot }) =>
        fromSnapshot === text,
  );
  add(
    query.source_volid,
    (text) =>
      ({ fromVolume }) =>
        fromVolume === text,
  );
  add(query.metadata, (text) => {
    const wanted = Object.entries(metadataFilter(text));
    return (volume) => wanted.every(([key, value]) => metadataItem(volume.metadata, key) === value);
  });
  add(query.created_at, (text) => {
    const isWithin = timeFilter('created_at', text);
    return ({ createTime }) => isWithin(createTime);
  });
  return filters.length === 0 ? undefined : (volume) => filters.every((matches) => matches(volume));
}
