import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { call, noBody, noQuery } from '../call.ts';

/** Nodes that share storage take volumes over from each other by themselves: they form no clusters of their own. */
const since = 7;
const filters = ['name', 'binary', 'is_up', 'disabled', 'num_hosts', 'num_down_hosts', 'replication_status', 'frozen'];
const text = z.string().max(255);
const query = z.strictObject(Object.fromEntries(filters.map((name) => [name, text.optional()])));

export const serviceClusterCalls = [
  ...(['/clusters', '/clusters/detail'] as const).map((path) =>
    call({
      name: 'cluster:list',
      summary: 'Lists clusters of services: there are none',
      method: 'GET',
      path,
      since,
      query,
      body: noBody,
      status: 200,
      answer: z.object({ clusters: z.array(z.never()) }),
      handle: async () => ({ clusters: [] }),
    }),
  ),
  call({
    name: 'cluster:list',
    summary: 'Shows a cluster of services: there are none',
    method: 'GET',
    path: '/clusters/:name',
    since,
    query,
    body: noBody,
    status: 200,
    answer: z.never(),
    handle: (request) => {
      throw noCluster(request.param('name'));
    },
  }),
  ...(['enable', 'disable'] as const).map((verb) =>
    call({
      name: 'cluster:list',
      summary: 'Changes a cluster of services: there are none',
      method: 'PUT',
      path: `/clusters/${verb}`,
      since,
      query: noQuery,
      body: z.strictObject({ name: text, binary: text.nullish(), disabled_reason: text.nullish() }),
      status: 200,
      answer: z.never(),
      handle: (request) => {
        throw noCluster(request.body.name);
      },
    }),
  ),
  call({
    name: 'worker:cleanup',
    summary: 'Takes up what a service that ended has left: nodes do that by themselves',
    method: 'POST',
    path: '/workers/cleanup',
    since: 24,
    query: noQuery,
    body: z
      .strictObject({
        cluster_name: text.nullish(),
        service_id: z.union([z.int(), text]).nullish(),
        host: text.nullish(),
        binary: text.nullish(),
        is_up: z.union([z.boolean(), text]).nullish(),
        disabled: z.union([z.boolean(), text]).nullish(),
        resource_id: text.nullish(),
        resource_type: text.nullish(),
      })
      .nullish(),
    status: 202,
    answer: z.object({ cleaning: z.array(z.never()), unavailable: z.array(z.never()) }),
    handle: async () => ({ cleaning: [], unavailable: [] }),
  }),
];

function noCluster(name: string): Error {
  return errors.notFoundHere('the cluster', name.slice(0, 100), 'list the nodes: GET /v3/os-services');
}
