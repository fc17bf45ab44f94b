import { type BlockstoreError, errors } from '../errors.ts';
import { type QuotaResource, quotaResources } from '../models/quota.ts';
import type { More } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { inUnits, quotaReports } from './quota-report.ts';

/** Why a project may not have so much more. */
export async function overQuota(
  store: Store,
  { project, ...more }: { project: string } & More,
): Promise<BlockstoreError> {
  const [report] = await quotaReports(store, [project]);
  const lacks = quotaResources.flatMap((resource) => {
    const asked = more[resource] ?? 0;
    const { used = 0, limit = Infinity } = report?.[resource] ?? {};
    if (asked === 0 || used + asked <= limit) return [];
    return [`${amount(resource, asked)} asked, ${inUnits(resource, used)} of ${amount(resource, limit)} used`];
  });
  return errors.quotaExceeded(project, lacks.length > 0 ? lacks : ['it was used up meanwhile']);
}

function amount(resource: QuotaResource, count: number): string {
  const value = inUnits(resource, count);
  if (resource === 'bytes') return `${value} GiB`;
  return `${value} ${value === 1 ? resource.slice(0, -1) : resource}`;
}
