import { z } from 'zod';
import { setClosed } from '../../../lib/client/drain.ts';
import { errors } from '../../../lib/errors.ts';
import { parsePlace } from '../../../lib/models/backend.ts';
import { nodePage } from '../../../lib/models/node-page.ts';
import { findNode } from '../../../lib/models/node.ts';
import { type Context, call, noBody, noQuery } from '../call.ts';
import { nextPage, pageAnswer, pageDocument } from '../listing.ts';
import { optional } from '../schemas.ts';
import { serviceDocument, serviceView, servicesOf } from '../views/service.ts';

const text = z.string().max(255);
/** `service`: the older name of `binary`. */
const named = { host: text.min(1), binary: optional(text), service: optional(text), cluster: z.null().optional() };
const answer = z.strictObject({
  host: z.string(),
  binary: z.string(),
  service: z.string(),
  status: z.enum(['enabled', 'disabled']),
  disabled: z.boolean(),
  disabled_reason: z.string().nullable().optional(),
});
const change = { name: 'service:change', method: 'PUT', query: noQuery, status: 200 } as const;
const logBody = { binary: text.nullish(), server: text.nullish(), prefix: text.nullish() };

export const serviceCalls = [
  call({
    name: 'service:list',
    summary:
      'Lists the services: each backend as cinder-volume, what every node does besides as cinder-scheduler and cinder-backup',
    method: 'GET',
    path: '/os-services',
    query: z.strictObject({
      host: optional(text),
      binary: optional(text),
      service: optional(text),
      limit: z
        .string()
        .regex(/^[1-9]\d*$/, { error: 'must be a whole number above 0', abort: true })
        .max(9, 'must be at most 999999999')
        .transform(Number)
        .optional(),
      marker: optional(text),
    }),
    body: noBody,
    status: 200,
    answer: pageAnswer('services', serviceDocument),
    async handle(request) {
      const { host, binary, service, limit, marker } = request.query;
      const most = Math.min(limit ?? request.flags.api_max_limit, request.flags.api_max_limit);
      const { nodes, next } =
        host === undefined
          ? await nodePage(request.cluster.store, { limit: most, after: marker })
          : await oneNode(request, host);
      const asked = binary ?? service;
      const rows = nodes
        .flatMap(servicesOf)
        .filter((one) => (host ?? one.host) === one.host && (asked ?? one.binary) === one.binary);
      const services = rows.map((one) => serviceView(one, request));
      return pageDocument('services', services, { next: nextPage(request, next), count: undefined });
    },
  }),
  call({
    ...change,
    summary: 'Opens a backend again: volumes are placed on it',
    path: '/os-services/enable',
    body: z.strictObject(named),
    answer,
    async handle(request) {
      await close(request, request.body, false);
      return { ...echoOf(request.body), status: 'enabled', disabled: false, disabled_reason: null };
    },
  }),
  call({
    ...change,
    summary: 'Closes a backend: no further volumes are placed on it; those that it has go on',
    path: '/os-services/disable',
    body: z.strictObject(named),
    answer,
    async handle(request) {
      await close(request, request.body, true);
      return { ...echoOf(request.body), status: 'disabled', disabled: true };
    },
  }),
  call({
    ...change,
    summary: 'Closes a backend, and notes why',
    path: '/os-services/disable-log-reason',
    body: z.strictObject({ ...named, disabled_reason: text.trim().min(1, 'must not be empty') }),
    answer,
    async handle(request) {
      const { disabled_reason: reason, ...body } = request.body;
      await close(request, body, true, reason);
      return { ...echoOf(body), status: 'disabled', disabled: true, disabled_reason: reason };
    },
  }),
  ...(['freeze', 'thaw', 'failover_host', 'failover'] as const).map((verb) =>
    call({
      ...change,
      summary: 'Refused: there is no replication',
      path: `/os-services/${verb}`,
      ...(verb === 'failover' ? { since: 26 } : {}),
      body: z.unknown(),
      answer: z.never(),
      handle: () => {
        throw errors.notOffered('this installation has no replication', 'move volumes: blockstore node drain');
      },
    }),
  ),
  call({
    ...change,
    summary: 'Refused: the level of the log is a flag',
    path: '/os-services/set-log',
    since: 32,
    body: z.strictObject({ ...logBody, level: z.string() }),
    answer: z.never(),
    handle: () => {
      throw errors.notOffered('the level of the log of a node is a flag', 'set log_level, and restart its daemon');
    },
  }),
  call({
    ...change,
    summary: 'Shows the level of the log of the node that answers',
    path: '/os-services/get-log',
    since: 32,
    body: z.strictObject(logBody),
    answer: z.object({
      log_levels: z.array(z.object({ host: z.string(), binary: z.string(), levels: z.record(z.string(), z.string()) })),
    }),
    async handle({ flags, body }) {
      const { binary, server, prefix } = body;
      const isAsked =
        ['cinder-api', '*', '', undefined, null].includes(binary) &&
        [flags.storage_name, '', undefined, null].includes(server);
      const levels = 'blockstore'.startsWith(prefix ?? '') ? { blockstore: flags.log_level.toUpperCase() } : {};
      return { log_levels: isAsked ? [{ host: flags.storage_name, binary: 'cinder-api', levels }] : [] };
    },
  }),
];

interface Named {
  host: string;
  binary?: string | undefined;
  service?: string | undefined;
}

function echoOf({ host, binary = '', service = '' }: Named) {
  return { host, binary, service };
}

/** Throws NodeNotFound, BackendNotFound, InvalidRequest, NotOffered. */
async function close(
  context: Context,
  { host, binary, service }: Named,
  isClosed: boolean,
  reason = '',
): Promise<void> {
  const asked = binary ?? service;
  if (asked === undefined) throw errors.invalidRequest(['binary: must be given']);
  if (asked !== 'cinder-volume') {
    throw errors.notOffered(`${asked} cannot be enabled or disabled`, 'name cinder-volume, and a backend as its host');
  }
  const { node, backend } = parsePlace(host);
  await setClosed(context.cluster.store, node, isClosed, { backend, reason });
}

async function oneNode(context: Context, host: string) {
  const node = await findNode(context.cluster.store, host.split('@', 1)[0] ?? '');
  return { nodes: node ? [node] : [], next: undefined };
}
