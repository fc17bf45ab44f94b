import { z } from 'zod';
import type { BackendState } from '../../../lib/models/backend.ts';
import type { NodeState } from '../../../lib/models/node.ts';
import type { Context } from '../call.ts';
import { since, time } from '../schemas.ts';
import { apiTime } from './time.ts';

const binaries = ['cinder-scheduler', 'cinder-volume', 'cinder-backup'] as const;

/** A part of the cluster by the names that clients know: one for each backend, and what every node does besides. */
export interface ServiceRow {
  binary: (typeof binaries)[number];
  host: string;
  node: NodeState;
  backend: BackendState | undefined;
}

/** Every node places volumes; those whose volumes have images also make backups. */
export function servicesOf(node: NodeState): ServiceRow[] {
  const { id: host, backends } = node;
  const hasBackups = backends.some(({ capabilities }) => capabilities.includes('images'));
  return [
    { binary: 'cinder-scheduler', host, node, backend: undefined },
    ...backends.map((backend): ServiceRow => ({ binary: 'cinder-volume', host: backend.id, node, backend })),
    ...(hasBackups ? [{ binary: 'cinder-backup', host, node, backend: undefined } as const] : []),
  ];
}

const ofBackends = 'Of cinder-volume alone';

export const serviceDocument = z
  .strictObject({
    binary: z.enum(binaries),
    host: z.string().describe('node@backend, or the node'),
    zone: z.string(),
    status: z.enum(['enabled', 'disabled']),
    state: z.enum(['up', 'down']),
    updated_at: time.nullable(),
    disabled_reason: z.string().nullable(),
    replication_status: z.literal('disabled').optional().describe(ofBackends),
    active_backend_id: z.null().optional().describe(ofBackends),
    frozen: z.literal(false).optional().describe(ofBackends),
    backend_state: since(49, z.enum(['up', 'down'])).describe(ofBackends),
    cluster: since(7, z.null()),
  })
  .meta({ id: 'Service', description: 'A node or one of its backends' });

export function serviceView(
  { binary, host, node, backend }: ServiceRow,
  { version }: Pick<Context, 'version'>,
): z.input<typeof serviceDocument> {
  const { isClosed = false, closedReason = '' } = backend ?? {};
  const ofBackend = { replication_status: 'disabled', active_backend_id: null, frozen: false } as const;
  return {
    binary,
    host,
    zone: zoneOf(node, backend),
    status: isClosed ? 'disabled' : 'enabled',
    state: node.state === 'up' ? 'up' : 'down',
    updated_at: node.reportTime === undefined ? null : apiTime(node.reportTime),
    disabled_reason: closedReason || null,
    ...(backend ? ofBackend : {}),
    ...(backend && version >= 49 ? { backend_state: backendStateOf(node, backend) } : {}),
    ...(version >= 7 ? { cluster: null } : {}),
  };
}

export const hostDocument = z.strictObject({
  host_name: z.string(),
  service: z.literal('cinder-volume'),
  zone: z.string(),
  'service-status': z.enum(['available', 'unavailable']),
  'service-state': z.enum(['enabled', 'disabled']),
  'last-update': time.nullable(),
});

/** Of the old list of hosts. */
export function hostView({ host, node, backend }: ServiceRow): z.input<typeof hostDocument> {
  return {
    host_name: host,
    service: 'cinder-volume',
    zone: zoneOf(node, backend),
    'service-status': node.state === 'up' ? 'available' : 'unavailable',
    'service-state': backend?.isClosed ? 'disabled' : 'enabled',
    'last-update': node.reportTime === undefined ? null : apiTime(node.reportTime),
  };
}

/** Whether the storage itself can be used. */
export function backendStateOf({ state }: NodeState, { problem }: BackendState): 'up' | 'down' {
  return state === 'up' && problem === '' ? 'up' : 'down';
}

function zoneOf(node: NodeState, backend: BackendState | undefined): string {
  return backend?.availabilityZone || node.availabilityZone;
}
