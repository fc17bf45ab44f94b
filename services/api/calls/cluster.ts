/** Calls of our own about the cluster, for the page and for whoever watches it. */
import { z } from 'zod';
import { clusterStatus } from '../../../lib/client/cluster-status.ts';
import { errors } from '../../../lib/errors.ts';
import { nodePage } from '../../../lib/models/node-page.ts';
import { findNode } from '../../../lib/models/node.ts';
import { version } from '../../../lib/version.ts';
import { call, noBody, noQuery } from '../call.ts';
import { roles } from '../caller.ts';
import { nextPage, pageAnswer, pageDocument, wholeNumber } from '../listing.ts';
import { nodeDocument, nodeView } from '../views/node.ts';

const common = { method: 'GET', body: noBody, status: 200 } as const;
const count = z.int().min(0);
const bytes = z.number().min(0);

const clusterAnswer = z.strictObject({
  cluster: z.strictObject({
    version: z.string(),
    nodes: z.strictObject({ up: count, down: count, stopped: count, lost: count }),
    total_bytes: bytes.describe('Of the nodes that are up'),
    free_bytes: bytes,
    volumes: count,
    snapshots: count,
    attachments: count,
    under_way: count.describe('Volumes that have a task'),
    problems: z.array(z.strictObject({ message: z.string(), hint: z.string() })),
    complete: z.boolean().describe('Whether every node was read: of very many, the first ones are'),
  }),
});

export const clusterCalls = [
  call({
    ...common,
    name: 'caller:show',
    summary: 'Shows who sends the request, as the API knows it',
    path: '/blockstore/caller',
    query: noQuery,
    answer: z.strictObject({
      caller: z.strictObject({ user_id: z.string(), project_id: z.string(), roles: z.array(z.enum(roles)) }),
    }),
    async handle({ caller }) {
      return { caller: { user_id: caller.userId, project_id: caller.projectId, roles: caller.roles } };
    },
  }),
  call({
    ...common,
    name: 'cluster:show',
    summary: 'Shows nodes, capacity and problems of the cluster',
    path: '/blockstore/cluster',
    query: noQuery,
    answer: clusterAnswer,
    async handle({ cluster: { store }, view }) {
      const [read, problems, counts] = await Promise.all([
        view.nodes(),
        view.problems(),
        store.read((redis) =>
          Promise.all([
            redis.zcard(store.keys.volumes()),
            redis.zcard(store.keys.snapshots()),
            redis.zcard(store.keys.attachments()),
          ]),
        ),
      ]);
      const { nodes, totalBytes, freeBytes, underWay, problems: all } = clusterStatus(read, problems);
      const [volumes, snapshots, attachments] = counts;
      const cluster = {
        version,
        nodes,
        total_bytes: totalBytes,
        free_bytes: freeBytes,
        volumes,
        snapshots,
        attachments,
        under_way: underWay,
        problems: all,
        complete: read.isComplete,
      };
      return { cluster };
    },
  }),
  call({
    ...common,
    name: 'node:list',
    summary: 'Lists storage nodes, by their names',
    path: '/blockstore/nodes',
    query: z.strictObject({
      limit: wholeNumber.optional(),
      marker: z.string().max(255).optional(),
      'name~': z.string().max(255).optional(),
    }),
    answer: pageAnswer('nodes', nodeDocument),
    async handle(request) {
      const { query, flags, cluster } = request;
      const limit = Math.min(query.limit ?? flags.api_max_limit, flags.api_max_limit);
      const { marker, 'name~': part } = query;
      const { nodes, next } = await nodePage(cluster.store, { limit, after: marker, part });
      return pageDocument('nodes', nodes.map(nodeView), { next: nextPage(request, next), count: undefined });
    },
  }),
  call({
    ...common,
    name: 'node:show',
    summary: 'Shows a storage node',
    path: '/blockstore/nodes/:name',
    query: noQuery,
    answer: z.strictObject({ node: nodeDocument }),
    async handle(request) {
      const name = request.param('name');
      const node = await findNode(request.cluster.store, name);
      if (!node) throw errors.noNode(name.slice(0, 100));
      return { node: nodeView(node) };
    },
  }),
];
