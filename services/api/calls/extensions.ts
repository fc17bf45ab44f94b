import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { call, noBody, noQuery } from '../call.ts';

/** Parts of the API that clients look for by their names before they offer them. */
const served: readonly (readonly [alias: string, name: string, description: string])[] = [
  ['backups', 'Backups', 'Backups of volumes.'],
  ['capabilities', 'Capabilities', 'What backends can do.'],
  ['encryption', 'VolumeTypeEncryption', 'Encryption of the volumes of a type.'],
  ['os-admin-actions', 'AdminActions', 'Actions of administrators.'],
  ['os-availability-zone', 'AvailabilityZones', 'Availability zones.'],
  ['os-extended-services', 'ExtendedServices', 'Reasons for which services are disabled.'],
  ['os-extended-snapshot-attributes', 'ExtendedSnapshotAttributes', 'Progress and project of snapshots.'],
  ['os-hosts', 'Hosts', 'Backends as hosts.'],
  ['os-quota-class-sets', 'QuotaClasses', 'Quotas of every project.'],
  ['os-quota-sets', 'Quotas', 'Quotas of projects.'],
  ['os-services', 'Services', 'Nodes and backends.'],
  ['os-types-extra-specs', 'TypesExtraSpecs', 'What types require of backends.'],
  ['os-types-manage', 'TypesManage', 'Changes of types.'],
  ['os-used-limits', 'UsedLimits', 'What a project has.'],
  ['os-vol-host-attr', 'VolumeHostAttribute', 'The place of a volume.'],
  ['os-vol-image-meta', 'VolumeImageMetadata', 'The image of a volume.'],
  ['os-vol-mig-status-attr', 'VolumeMigStatusAttribute', 'Migrations of a volume.'],
  ['os-vol-tenant-attr', 'VolumeTenantAttribute', 'The project of a volume.'],
  ['os-volume-actions', 'VolumeActions', 'Actions on volumes.'],
  ['os-volume-encryption-metadata', 'VolumeEncryptionMetadata', 'Encryption of a volume.'],
  ['os-volume-transfer', 'VolumeTransfer', 'Transfers between projects.'],
  ['os-volume-type-access', 'VolumeTypeAccess', 'Projects that can use a private type.'],
  ['qos-specs', 'Qos_specs_manage', 'How much hosts use of volumes.'],
  ['scheduler-hints', 'SchedulerHints', 'Volumes apart from others, or near them.'],
  ['scheduler-stats', 'Scheduler_stats', 'Pools and their space.'],
];

const extension = z.object({
  alias: z.string(),
  name: z.string(),
  description: z.string(),
  updated: z.string(),
  links: z.array(z.unknown()),
});
const views = served.map(([alias, name, description]) => ({
  alias,
  name,
  description,
  updated: '2022-08-30T00:00:00Z',
  links: [],
}));

export const extensionCalls = [
  call({
    name: 'extension:list',
    summary: 'Lists the parts of the API by the names that clients look for',
    method: 'GET',
    path: '/extensions',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.object({ extensions: z.array(extension) }),
    handle: async () => ({ extensions: views }),
  }),
  call({
    name: 'extension:list',
    summary: 'Shows whether a part of the API is served',
    method: 'GET',
    path: '/extensions/:alias',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.object({ extension }),
    async handle(request) {
      const alias = request.param('alias');
      const found = views.find((view) => view.alias === alias);
      if (!found) throw errors.notFoundHere('extension', alias.slice(0, 100), 'list them: GET /v3/extensions');
      return { extension: found };
    },
  }),
];
