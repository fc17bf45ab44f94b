import { z } from 'zod';
import { call, noBody } from '../call.ts';

/** What the lists can be filtered by. */
const filters: Readonly<Record<string, readonly string[]>> = {
  volume: [
    'name',
    'name~',
    'status',
    'metadata',
    'bootable',
    'availability_zone',
    'host',
    'user_id',
    'volume_type_id',
    'snapshot_id',
    'source_volid',
    'created_at',
  ],
  snapshot: ['name', 'name~', 'status', 'volume_id', 'metadata', 'user_id', 'created_at'],
  attachment: ['volume_id', 'instance_id', 'status', 'attach_status'],
  volume_type: ['name', 'description', 'is_public', 'extra_specs'],
  transfer: ['name', 'name~', 'volume_id'],
  backup: ['name', 'name~', 'status', 'volume_id', 'volume_name', 'metadata'],
  message: ['event_id', 'message_level', 'resource_type', 'resource_uuid', 'request_id'],
  pool: ['name', 'volume_type'],
  service: ['host', 'binary'],
};

export const resourceFilterCalls = [
  call({
    name: 'resource-filter:list',
    summary: 'Lists what each list can be filtered by',
    method: 'GET',
    path: '/resource_filters',
    since: 33,
    query: z.strictObject({ resource: z.string().max(255).optional() }),
    body: noBody,
    status: 200,
    answer: z.object({
      resource_filters: z.array(z.object({ resource: z.string(), filters: z.array(z.string()) })),
    }),
    async handle({ query }) {
      const found = Object.entries(filters).filter(([resource]) => resource === (query.resource ?? resource));
      return { resource_filters: found.map(([resource, names]) => ({ resource, filters: names })) };
    },
  }),
];
