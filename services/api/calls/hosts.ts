import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { parsePlace } from '../../../lib/models/backend.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { call, noBody, noQuery } from '../call.ts';
import { boundedRecords } from '../listing.ts';
import { optional } from '../schemas.ts';
import { hostDocument, hostView, servicesOf } from '../views/service.ts';

const text = z.string();
const resourceDocument = z.strictObject({
  host: text,
  project: text.describe('(total): of all projects'),
  volume_count: text,
  total_volume_gb: text,
  snapshot_count: text,
  total_snapshot_gb: text,
});
const common = { method: 'GET', body: noBody, status: 200 } as const;
const zone = z.object({ zoneName: z.string(), zoneState: z.object({ available: z.boolean() }) });
const zones = z.object({ availabilityZoneInfo: z.array(zone) });

export const hostCalls = [
  call({
    ...common,
    name: 'host:list',
    summary: 'Lists the backends as hosts',
    path: '/os-hosts',
    query: z.strictObject({ zone: optional(z.string().max(255)) }),
    answer: z.strictObject({ hosts: z.array(hostDocument) }),
    async handle(request) {
      const { zone: asked } = request.query;
      const rows = (await request.view.nodes()).nodes
        .flatMap(servicesOf)
        .filter(({ backend }) => backend !== undefined);
      const hosts = rows.map(hostView);
      return { hosts: hosts.filter((host) => (asked ?? host.zone) === host.zone) };
    },
  }),
  call({
    ...common,
    name: 'host:list',
    summary: 'Shows how many volumes a backend has, and of which projects; sizes in GiB',
    path: '/os-hosts/:host',
    query: noQuery,
    answer: z.strictObject({ host: z.array(z.strictObject({ resource: resourceDocument })) }),
    async handle(request) {
      const { store } = request.cluster;
      const host = request.param('host');
      const { node, backend } = parsePlace(host);
      const { backends } = await lookupNode(store, node);
      if (backend !== undefined && !backends.some(({ name }) => name === backend)) {
        throw errors.noBackend(
          host,
          backends.map(({ id }) => id),
        );
      }
      const totals = new Map([['(total)', { count: 0, size: 0 }]]);
      const add = (project: string, size: number) => {
        const sum = totals.get(project) ?? { count: 0, size: 0 };
        totals.set(project, { count: sum.count + 1, size: sum.size + size });
      };
      const index = store.keys.nodeVolumes(node);
      for await (const volume of boundedRecords(volumesOf(store), index, 'adding the volumes up')) {
        if ((backend ?? volume.backend) !== volume.backend) continue;
        add('(total)', volume.size);
        add(volume.projectId, volume.size);
      }
      return { host: [...totals].map(([project, sum]) => ({ resource: resourceOf(host, project, sum) })) };
    },
  }),
  ...(['/os-availability-zone', '/os-availability-zone/detail'] as const).map((path) =>
    call({
      ...common,
      name: 'zone:list',
      summary: 'Lists the availability zones, and whether volumes can be placed there',
      path,
      query: noQuery,
      answer: zones,
      async handle(request) {
        const found = new Map<string, boolean>();
        for (const { state, availabilityZone, backends } of (await request.view.nodes()).nodes) {
          const isOpen = state === 'up' && backends.some((backend) => !backend.isClosed);
          found.set(availabilityZone, isOpen || (found.get(availabilityZone) ?? false));
        }
        const list = [...found].map(([zoneName, available]) => ({ zoneName, zoneState: { available } }));
        return { availabilityZoneInfo: list.toSorted((one, other) => (one.zoneName < other.zoneName ? -1 : 1)) };
      },
    }),
  ),
];

/** Clients expect texts. */
function resourceOf(host: string, project: string, { count, size }: { count: number; size: number }) {
  return {
    host,
    project,
    volume_count: String(count),
    total_volume_gb: String(size),
    snapshot_count: '0',
    total_snapshot_gb: '0',
  };
}
