import { z } from 'zod';
import type { QuotaEntry } from '../../../lib/client/quota-report.ts';
import type { QuotaResource } from '../../../lib/models/quota.ts';

const GiB = 2 ** 30;

/** The names by which clients know what is limited. */
export const resources = { volumes: 'volumes', snapshots: 'snapshots', gigabytes: 'bytes' } as const satisfies Record<
  string,
  QuotaResource
>;

/** What clients of other installations can limit besides, and what holds here. -1: no limit. */
export const fixed = { per_volume_gigabytes: 1000, backups: -1, backup_gigabytes: -1, groups: -1 } as const;

const names = [...Object.keys(resources), ...Object.keys(fixed)];
const limit = z.int().min(-1).describe('-1: no limit');
const entry = z.strictObject({ limit, in_use: z.int().min(0), reserved: z.literal(0), allocated: z.literal(0) });
export const quotaDocument = z.strictObject(Object.fromEntries(names.map((name) => [name, limit])));
export const usageDocument = z.strictObject(Object.fromEntries(names.map((name) => [name, entry])));

/** Bytes are shown in GiB: limits rounded down, what is used rounded up. */
export function limitIn(resource: QuotaResource, most: number | undefined): number {
  if (most === undefined) return -1;
  return resource === 'bytes' ? Math.floor(most / GiB) : most;
}

export function usedIn(resource: QuotaResource, used: number): number {
  return resource === 'bytes' ? Math.ceil(used / GiB) : used;
}

/** The limits of a project, or of every project. */
export function quotaView(report: Readonly<Record<QuotaResource, Pick<QuotaEntry, 'limit'>>>): Record<string, number> {
  const own = Object.entries(resources).map(([name, resource]) => [name, limitIn(resource, report[resource].limit)]);
  return { ...Object.fromEntries(own), ...fixed };
}

/** The same with what the project has. Backups are neither limited nor counted. */
export function usageView(report: Readonly<Record<QuotaResource, QuotaEntry>>): Record<string, object> {
  const entryOf = (most: number, used: number) => ({ limit: most, in_use: used, reserved: 0, allocated: 0 });
  const own = Object.entries(resources).map(([name, resource]) => {
    const { limit: most, used } = report[resource];
    return [name, entryOf(limitIn(resource, most), usedIn(resource, used))];
  });
  const others = Object.entries(fixed).map(([name, most]) => [name, entryOf(most, 0)]);
  return Object.fromEntries([...own, ...others]);
}
