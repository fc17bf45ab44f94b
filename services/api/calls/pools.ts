import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { parsePlace } from '../../../lib/models/backend.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { unmetRequirement } from '../../../lib/models/requirements.ts';
import { call, noBody, noQuery } from '../call.ts';
import { trueOrFalse } from '../listing.ts';
import { usableType } from '../own-type.ts';
import { optional } from '../schemas.ts';
import { capabilitiesDocument, capabilitiesView, poolDocument, poolName, poolView } from '../views/pool.ts';

const text = z.string().max(255);

export const poolCalls = [
  call({
    name: 'pool:list',
    summary: 'Lists the pools of the nodes that are up, in detail with their space and what they can do',
    method: 'GET',
    path: '/scheduler-stats/get_pools',
    query: z.strictObject({ detail: trueOrFalse.optional(), name: optional(text), volume_type: optional(text) }),
    body: noBody,
    status: 200,
    answer: z.strictObject({ pools: z.array(poolDocument) }),
    async handle(request) {
      const { detail = false, name, volume_type: type } = request.query;
      const { requirements } = type === undefined ? { requirements: {} } : await usableType(request, type);
      const up = (await request.view.nodes()).nodes.filter(({ state }) => state === 'up');
      const all = up.flatMap((node) => node.backends.map((backend) => ({ node, backend })));
      const pools = all.filter(
        ({ backend }) =>
          (name ?? poolName(backend)) === poolName(backend) && unmetRequirement(requirements, backend) === undefined,
      );
      return {
        pools: pools.map(({ node, backend }) => (detail ? poolView(node, backend) : { name: poolName(backend) })),
      };
    },
  }),
  call({
    name: 'capabilities:show',
    summary: 'Shows what a backend can do',
    method: 'GET',
    path: '/capabilities/:host',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: capabilitiesDocument,
    async handle(request) {
      const host = request.param('host');
      const { node: name, backend } = parsePlace(host);
      const node = await lookupNode(request.cluster.store, name);
      const found = node.backends.find((one) => (backend ?? one.name) === one.name);
      if (!found) {
        throw errors.noBackend(
          host,
          node.backends.map(({ id }) => id),
        );
      }
      return capabilitiesView(node, found);
    },
  }),
];
