import { z } from 'zod';
import { volumesOf } from '../../../lib/models/volume.ts';
import { call, noBody } from '../call.ts';
import { hasRole } from '../caller.ts';
import { boundedRecords, trueOrFalse } from '../listing.ts';

export const volumeSummaryCalls = [
  call({
    name: 'volume:summary',
    summary: 'Shows how many volumes a project has, their size in GiB, and from version 3.36 on their metadata',
    method: 'GET',
    path: '/volumes/summary',
    since: 12,
    query: z.strictObject({ all_tenants: trueOrFalse.optional() }),
    body: noBody,
    status: 200,
    answer: z.object({
      'volume-summary': z.object({
        total_count: z.int(),
        total_size: z.int(),
        metadata: z.record(z.string(), z.array(z.string())).optional(),
      }),
    }),
    async handle({ caller, cluster, query, version }) {
      const { store } = cluster;
      const isAll = hasRole(caller, 'admin') && (query.all_tenants ?? false);
      const index = isAll ? store.keys.volumes() : store.keys.projectVolumes(caller.projectId);
      const found = new Map<string, Set<string>>();
      let [count, size] = [0, 0];
      for await (const volume of boundedRecords(volumesOf(store), index, 'a summary of the volumes')) {
        count += 1;
        size += volume.size;
        for (const [key, value] of Object.entries(volume.metadata)) {
          found.set(key, (found.get(key) ?? new Set()).add(value));
        }
      }
      const metadata = Object.fromEntries([...found].map(([key, values]) => [key, [...values]]));
      const summary = { total_count: count, total_size: size, ...(version >= 36 ? { metadata } : {}) };
      return { 'volume-summary': summary };
    },
  }),
];
