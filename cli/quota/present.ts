import { type QuotaEntry, type QuotaReport, inUnits } from '../../lib/client/quota-report.ts';
import { type QuotaResource, everyProject, quotaResources } from '../../lib/models/quota.ts';
import type { Column } from '../table.ts';

/** Names for people: bytes are shown in GiB. */
const names: Readonly<Record<QuotaResource, string>> = {
  volumes: 'volumes',
  bytes: 'gigabytes',
  snapshots: 'snapshots',
};

/** Returns a quota in the form of --json; a limit of null is none. */
export function quotaJson(report: QuotaReport): object {
  const entries = quotaResources.map((resource) => {
    const { used, limit, isDefault } = report[resource];
    const shown = limit === undefined ? null : inUnits(resource, limit);
    return [names[resource], { used: inUnits(resource, used), limit: shown, isDefault }];
  });
  return { project: report.project, ...Object.fromEntries(entries) };
}

export const quotaColumns: readonly Column<QuotaReport>[] = [
  { title: 'PROJECT', text: ({ project }) => (project === everyProject ? '(every project)' : project), maxWidth: 32 },
  ...quotaResources.map(
    (resource): Column<QuotaReport> => ({
      title: resource === 'bytes' ? 'GIB' : names[resource].toUpperCase(),
      text: ({ project, [resource]: entry }) =>
        project === everyProject ? limitText(resource, entry) : entryText(resource, entry),
      right: true,
    }),
  ),
];

export function quotaFacts(report: QuotaReport): [string, string][] {
  return [
    ['project', report.project],
    ...quotaResources.map((resource): [string, string] => {
      const { isDefault, limit } = report[resource];
      const source = isDefault && limit !== undefined ? ' (the limit of every project)' : '';
      return [names[resource], `${entryText(resource, report[resource])}${source}`];
    }),
  ];
}

function entryText(resource: QuotaResource, entry: QuotaEntry): string {
  return `${inUnits(resource, entry.used)} of ${limitText(resource, entry)}`;
}

function limitText(resource: QuotaResource, { limit }: QuotaEntry): string {
  return limit === undefined ? 'unlimited' : String(inUnits(resource, limit));
}
