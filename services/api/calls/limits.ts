import { z } from 'zod';
import { quotaReports } from '../../../lib/client/quota-report.ts';
import { errors } from '../../../lib/errors.ts';
import { call, noBody } from '../call.ts';
import { hasRole } from '../caller.ts';
import { optional } from '../schemas.ts';
import { limitIn, usedIn } from '../views/quota.ts';

const project = optional(z.string().max(255));

export const limitCalls = [
  call({
    name: 'limits:show',
    summary: 'Shows what the project may have and has',
    method: 'GET',
    path: '/limits',
    query: z.strictObject({ tenant_id: project, project_id: project }),
    body: noBody,
    status: 200,
    answer: z.object({
      limits: z.object({ rate: z.array(z.unknown()), absolute: z.record(z.string(), z.int()) }),
    }),
    async handle({ caller, cluster, query }) {
      const asked = query.project_id ?? query.tenant_id ?? caller.projectId;
      if (asked !== caller.projectId && !hasRole(caller, 'admin')) throw errors.notPermitted('limits:show', ['admin']);
      const [report] = await quotaReports(cluster.store, [asked]);
      if (!report) throw errors.quotaNotFound(asked);
      const { volumes, snapshots, bytes } = report;
      return {
        limits: {
          rate: [],
          absolute: {
            maxTotalVolumes: limitIn('volumes', volumes.limit),
            maxTotalSnapshots: limitIn('snapshots', snapshots.limit),
            maxTotalVolumeGigabytes: limitIn('bytes', bytes.limit),
            maxTotalBackups: -1,
            maxTotalBackupGigabytes: -1,
            totalVolumesUsed: usedIn('volumes', volumes.used),
            totalSnapshotsUsed: usedIn('snapshots', snapshots.used),
            totalGigabytesUsed: usedIn('bytes', bytes.used),
            totalBackupsUsed: 0,
            totalBackupGigabytesUsed: 0,
          },
        },
      };
    },
  }),
];
