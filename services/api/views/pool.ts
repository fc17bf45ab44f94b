import { z } from 'zod';
import { freeSpaceOf } from '../../../lib/client/placement-reasons.ts';
import { capabilityNames } from '../../../lib/drivers/capabilities.ts';
import { type BackendState, placeText } from '../../../lib/models/backend.ts';
import type { NodeState } from '../../../lib/models/node.ts';
import { time } from '../schemas.ts';
import { backendStateOf } from './service.ts';
import { apiTime } from './time.ts';

const GiB = 2 ** 30;

/** How hosts reach exports, by targets, as clients name it. */
const protocols: ReadonlyMap<string, string> = new Map([
  ['aoe', 'AoE'],
  ['iscsi-lio', 'iSCSI'],
  ['iscsi-tgt', 'iSCSI'],
  ['lefthand', 'iSCSI'],
  ['solaris', 'iSCSI'],
  ['nvmet', 'NVMe-oF'],
  ['rbd', 'ceph'],
]);

export function protocolOf({ target }: Pick<BackendState, 'target'>): string {
  return protocols.get(target) ?? target;
}

export function poolName({ id, pool }: Pick<BackendState, 'id' | 'pool'>): string {
  return placeText(id, pool);
}

const gigabytes = z.number();
const yes = z.boolean();
const text = z.string();
export const poolDocument = z
  .strictObject({
    name: text,
    capabilities: z
      .strictObject({
        volume_backend_name: text,
        pool_name: text,
        vendor_name: text,
        driver_version: text,
        storage_protocol: text,
        total_capacity_gb: gigabytes,
        free_capacity_gb: gigabytes,
        allocated_capacity_gb: gigabytes,
        provisioned_capacity_gb: gigabytes,
        reserved_percentage: z.literal(0),
        max_over_subscription_ratio: text,
        thin_provisioning_support: yes,
        thick_provisioning_support: yes,
        QoS_support: yes,
        replication_enabled: z.literal(false),
        location_info: z.null(),
        filter_function: z.null(),
        goodness_function: z.null(),
        backend_state: z.enum(['up', 'down']),
        timestamp: time.nullable(),
        availability_zone: text,
        driver: text,
        target: text,
        shared: yes,
      })
      .extend(Object.fromEntries(capabilityNames.map((name) => [name, yes])))
      .optional()
      .describe('In detail alone'),
  })
  .meta({ id: 'Pool', description: 'A pool of a backend' });

/** A pool with what it has and can do; space in GiB. */
export function poolView(node: NodeState, backend: BackendState) {
  const { name, driver, target, pool, shared, capabilities, totalBytes, capacityBytes, allocatedBytes } = backend;
  const isThin = capabilities.includes('thin');
  const can = capabilityNames.map((capability) => [capability, capabilities.includes(capability)] as const);
  return {
    name: poolName(backend),
    capabilities: {
      volume_backend_name: name,
      pool_name: pool || name,
      vendor_name: 'blockstore',
      driver_version: node.version,
      storage_protocol: protocolOf(backend),
      total_capacity_gb: inGiB(totalBytes),
      free_capacity_gb: inGiB(freeSpaceOf(backend)),
      allocated_capacity_gb: inGiB(allocatedBytes),
      provisioned_capacity_gb: inGiB(allocatedBytes),
      reserved_percentage: 0,
      max_over_subscription_ratio: ratioOf(capacityBytes, totalBytes),
      thin_provisioning_support: isThin,
      thick_provisioning_support: !isThin,
      QoS_support: target === 'aoe',
      replication_enabled: false,
      location_info: null,
      filter_function: null,
      goodness_function: null,
      backend_state: backendStateOf(node, backend),
      timestamp: node.reportTime === undefined ? null : apiTime(node.reportTime),
      availability_zone: backend.availabilityZone,
      ...Object.fromEntries(can),
      driver,
      target,
      shared: shared !== '',
    },
  };
}

export const capabilitiesDocument = z.strictObject({
  namespace: text,
  vendor_name: text,
  volume_backend_name: text,
  pool_name: text.nullable(),
  driver_version: text,
  storage_protocol: text,
  display_name: text,
  description: text,
  visibility: z.null(),
  replication_targets: z.array(z.never()),
  properties: z.record(
    text,
    z.strictObject({ title: text, description: text, type: z.literal('boolean'), default: yes }),
  ),
});

/** What a backend can do, for programs that offer it to people. */
export function capabilitiesView(node: NodeState, backend: BackendState): z.input<typeof capabilitiesDocument> {
  const properties = capabilityNames.map((capability) => [
    `capabilities:${capability}`,
    {
      title: capability,
      description: `whether volumes have ${capability}`,
      type: 'boolean' as const,
      default: backend.capabilities.includes(capability),
    },
  ]);
  return {
    namespace: `OS::Storage::Capabilities::${backend.id}`,
    vendor_name: 'blockstore',
    volume_backend_name: backend.name,
    pool_name: backend.pool || null,
    driver_version: node.version,
    storage_protocol: protocolOf(backend),
    display_name: backend.id,
    description: `${backend.driver}, ${backend.target}`,
    visibility: null,
    replication_targets: [],
    properties: Object.fromEntries(properties),
  };
}

function inGiB(bytes: number): number {
  return Math.round((bytes / GiB) * 100) / 100;
}

function ratioOf(capacityBytes: number, totalBytes: number): string {
  return totalBytes === 0 ? '1.0' : (Math.round((capacityBytes / totalBytes) * 10) / 10).toFixed(1);
}
