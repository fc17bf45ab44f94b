import { type AttachmentState, isActive } from '../../../lib/models/attachment-state.ts';
import { attachmentsOf } from '../../../lib/models/attachment.ts';
import { backendId, backendsOf, placeText } from '../../../lib/models/backend.ts';
import { typesOf } from '../../../lib/models/type.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type Caller, hasRole } from '../caller.ts';
import type { Context } from '../call.ts';
import { imageMetadataOf } from '../image-metadata.ts';
import { apiTime } from './time.ts';

/** What the answers about volumes need beside their records. */
export interface VolumeFacts {
  attachments: ReadonlyMap<string, AttachmentState>;
  /** Names of types, by their ids. */
  types: ReadonlyMap<string, string>;
  /** `node@backend#pool`, by `node@backend`. */
  places: ReadonlyMap<string, string>;
}

/** Reads it for all volumes of a page at once. */
export async function volumeFacts(store: Store, volumes: readonly VolumeState[]): Promise<VolumeFacts> {
  const unique = (ids: readonly string[]) => [...new Set(ids.filter((id) => id !== ''))];
  const [attachments, types, backends] = await Promise.all([
    attachmentsOf(store).readAll(volumes.flatMap((volume) => volume.attachments)),
    typesOf(store).readAll(unique(volumes.map(({ type }) => type))),
    backendsOf(store).readAll(unique(volumes.map(({ node, backend }) => backendId(node, backend)))),
  ]);
  return {
    attachments: new Map(attachments.states.map((state) => [state.id, state])),
    types: new Map(types.states.map(({ id, name }) => [id, name])),
    places: new Map(backends.states.map(({ id, pool }) => [id, placeText(id, pool)])),
  };
}

const restoring = { backup: 'restoring-backup', snapshot: 'reverting', image: 'downloading' } as const;

/**
 * The status as the clients of the Block Storage API know it: what is under way takes the place of the status that the volume returns to.
 */
export function apiStatus({
  status,
  attachStatus,
  task,
  announced,
  restoreFrom,
}: Pick<VolumeState, 'status' | 'attachStatus' | 'task' | 'announced' | 'restoreFrom'>): string {
  if (attachStatus === 'attaching' || attachStatus === 'detaching') return attachStatus;
  if (announced) return `${announced.what}ing`;
  if (task?.kind === 'upload') return 'uploading';
  if (task?.kind === 'backup') return 'backing-up';
  if (status === 'restoring') return restoring[restoreFrom?.kind ?? 'backup'];
  // Its place changes, not what can be done with it.
  if (status === 'migrating') return attachStatus === 'attached' ? 'in-use' : 'maintenance';
  if (status === 'transferring') return 'awaiting-transfer';
  if (status === 'error_restoring') return restoreFrom && restoreFrom.kind !== 'backup' ? 'error' : status;
  if (status === 'error_attaching' || status === 'error_detaching') return 'error';
  return status;
}

export function volumeLinks({ base }: Pick<Context, 'base'>, id: string) {
  return [
    { rel: 'self', href: `${base}/volumes/${id}` },
    { rel: 'bookmark', href: `${base.replace('/v3', '')}/volumes/${id}` },
  ];
}

/** An attachment as an answer about its volume has it. */
function useOf({ id, volume, instanceId, hostName, mountpoint, attachTime, createTime }: AttachmentState) {
  return {
    id: volume,
    attachment_id: id,
    volume_id: volume,
    server_id: instanceId || null,
    host_name: hostName || null,
    device: mountpoint || null,
    attached_at: apiTime(attachTime ?? createTime),
  };
}

const migrationStatuses: ReadonlySet<string> = new Set(['migrating']);

/** The document of one volume. */
export function volumeView(
  volume: VolumeState,
  facts: VolumeFacts,
  context: Pick<Context, 'base' | 'version' | 'caller'>,
) {
  const { version, caller } = context;
  const { node, backend, type, isBootable, isReadOnly, encryptionKey } = volume;
  const uses = volume.attachments.flatMap((id) => facts.attachments.get(id) ?? []).filter(isActive);
  const typeName = type === '' ? null : (facts.types.get(type) ?? type);
  const place = backendId(node, backend);
  const image = imageMetadataOf(volume);
  return {
    id: volume.id,
    status: apiStatus(volume),
    size: volume.size,
    availability_zone: volume.availabilityZone,
    created_at: apiTime(volume.createTime),
    updated_at: null,
    attachments: uses.map(useOf),
    name: volume.name || null,
    description: volume.description || null,
    volume_type: typeName,
    snapshot_id: volume.fromSnapshot || null,
    source_volid: volume.fromVolume || null,
    metadata: isReadOnly ? { ...volume.metadata, readonly: 'True' } : volume.metadata,
    links: volumeLinks(context, volume.id),
    user_id: volume.userId,
    bootable: String(isBootable),
    encrypted: encryptionKey !== '',
    replication_status: null,
    consistencygroup_id: null,
    multiattach: volume.isMultiattach,
    migration_status: migrationStatuses.has(volume.status) ? 'migrating' : null,
    'os-vol-tenant-attr:tenant_id': volume.projectId,
    ...(Object.keys(image).length === 0 ? {} : { volume_image_metadata: image }),
    ...ofAdministrator(volume, facts.places.get(place) ?? (node === '' ? null : place), caller),
    ...(version >= 13 ? { group_id: volume.group || null } : {}),
    ...(version >= 21 ? { provider_id: null } : {}),
    ...(version >= 48 ? { shared_targets: false, service_uuid: null } : {}),
    ...(version >= 61 && hasRole(caller, 'admin') ? { cluster_name: null } : {}),
    ...(version >= 63 ? { volume_type_id: type || null } : {}),
    ...(version >= 65 ? { consumes_quota: true } : {}),
  };
}

/** Where a volume is, is shown to administrators alone. */
function ofAdministrator({ status }: VolumeState, place: string | null, caller: Caller) {
  if (!hasRole(caller, 'admin')) return {};
  return {
    'os-vol-host-attr:host': place,
    'os-vol-mig-status-attr:migstat': migrationStatuses.has(status) ? 'migrating' : null,
    'os-vol-mig-status-attr:name_id': null,
  };
}

/** The short form of lists. */
export function volumeSummaryView({ id, name }: VolumeState, context: Pick<Context, 'base'>) {
  return { id, name: name || null, links: volumeLinks(context, id) };
}
