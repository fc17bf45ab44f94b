import { errors } from '../errors.ts';
import { type QuotaResource, type QuotaState, everyProject, quotasOf } from '../models/quota.ts';
import type { Store } from '../redis/store.ts';

/** What a project has of a resource, and may have of it; `limit` undefined: as much as there is. */
export interface QuotaEntry {
  used: number;
  limit: number | undefined;
  /** Whether the limit is the one of every project. */
  isDefault: boolean;
}
export type QuotaReport = { project: string } & Record<QuotaResource, QuotaEntry>;

/** Returns what projects have and may have. Throws RecordUnreadable. */
export async function quotaReports(store: Store, projects: readonly string[]): Promise<QuotaReport[]> {
  const quotas = quotasOf(store);
  const { states, unreadable } = await quotas.readAll([everyProject, ...projects]);
  const [damaged] = unreadable;
  if (damaged) throw errors.recordUnreadable(`quota ${damaged.id}`, damaged.reason);
  const byProject = new Map(states.map((state) => [state.id, state]));
  const counts = await store.read((redis) =>
    Promise.all(
      projects.map((project) =>
        Promise.all([
          redis.zcard(store.keys.projectVolumes(project)),
          redis.zcard(store.keys.projectSnapshots(project)),
        ]),
      ),
    ),
  );
  return projects.map((project, index) => {
    const [own, all] = [byProject.get(project), byProject.get(everyProject)];
    const [volumes = 0, snapshots = 0] = counts[index] ?? [];
    const entry = (resource: QuotaResource, used: number) => ({ used, ...limitOf(resource, own, all) });
    return {
      project,
      volumes: entry('volumes', volumes),
      bytes: entry('bytes', own?.usedBytes ?? 0),
      snapshots: entry('snapshots', snapshots),
    };
  });
}

function limitOf(
  resource: QuotaResource,
  own: QuotaState | undefined,
  all: QuotaState | undefined,
): { limit: number | undefined; isDefault: boolean } {
  const limit = own?.limits[resource] ?? all?.limits[resource];
  return {
    limit: limit === 'unlimited' ? undefined : limit,
    isDefault: own?.limits[resource] === undefined,
  };
}

/** Bytes as GiB. */
export function inUnits(resource: QuotaResource, count: number): number {
  return resource === 'bytes' ? Math.round((count / 2 ** 30) * 100) / 100 : count;
}
