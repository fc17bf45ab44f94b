/** What answers about volumes have: views/volume.ts makes it. */
import { z } from 'zod';
import { links, since, time } from '../schemas.ts';

const text = z.string().nullable();

const use = z.strictObject({
  id: z.string().describe('The id of the volume'),
  attachment_id: z.string(),
  volume_id: z.string(),
  server_id: text,
  host_name: text,
  device: text,
  attached_at: time,
});

/** A volume in lists without details. */
export const volumeSummaryDocument = z
  .strictObject({ id: z.string(), name: text, links })
  .meta({ id: 'VolumeSummary', description: 'A volume in lists without details' });

const forAdministrators = 'Shown to administrators alone';

export const volumeDocument = z
  .strictObject({
    id: z.string(),
    status: z.string(),
    size: z.int().min(0).describe('GiB; 0: 100 MiB'),
    availability_zone: z.string(),
    created_at: time,
    updated_at: z.null(),
    attachments: z.array(use),
    name: text,
    description: text,
    volume_type: text,
    snapshot_id: text,
    source_volid: text,
    metadata: z.record(z.string(), z.string()),
    links,
    user_id: z.string(),
    bootable: z.enum(['true', 'false']),
    encrypted: z.boolean(),
    replication_status: z.null(),
    consistencygroup_id: z.null(),
    multiattach: z.boolean(),
    migration_status: z.literal('migrating').nullable(),
    'os-vol-tenant-attr:tenant_id': z.string(),
    volume_image_metadata: z.record(z.string(), z.string()).optional(),
    'os-vol-host-attr:host': text.optional().describe(`node@backend#pool. ${forAdministrators}`),
    'os-vol-mig-status-attr:migstat': text.optional().describe(forAdministrators),
    'os-vol-mig-status-attr:name_id': z.null().optional().describe(forAdministrators),
    group_id: since(13, z.string().nullable()),
    provider_id: since(21, z.null()),
    shared_targets: since(48, z.literal(false)),
    service_uuid: since(48, z.null()),
    cluster_name: since(61, z.null()),
    volume_type_id: since(63, text),
    consumes_quota: since(65, z.literal(true)),
  })
  .meta({ id: 'Volume', description: 'A volume' });
