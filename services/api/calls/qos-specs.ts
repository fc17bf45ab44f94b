import { z } from 'zod';
import {
  associate,
  createQosSpec,
  deleteQosSpec,
  dissociate,
  dissociateAll,
  typesWith,
  updateQosSpec,
} from '../../../lib/client/qos-specs.ts';
import { errors } from '../../../lib/errors.ts';
import { isId } from '../../../lib/models/id.ts';
import { type QosSpecState, qosConsumers } from '../../../lib/models/qos-spec-state.ts';
import { qosSpecsOf } from '../../../lib/models/qos-spec.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { idOfNew } from '../idempotency.ts';
import { listPage, listQuery, pageAnswer, pageDocument, trueOrFalse } from '../listing.ts';
import { ownType } from '../own-type.ts';
import { time } from '../schemas.ts';
import { apiTime } from '../views/time.ts';

const value = z.union([z.string(), z.number().transform(String)]);
const consumer = z.enum(qosConsumers, `must be one of ${qosConsumers.join(', ')}`);
const specAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  consumer: z.string(),
  specs: z.record(z.string(), z.string()),
  created_at: time,
});
const oneSpec = z.strictObject({
  qos_specs: specAnswer,
  links: z.array(z.strictObject({ rel: z.literal('self'), href: z.string() })),
});
const typeQuery = z.strictObject({ vol_type_id: z.string('must be the id of a volume type').max(255) });
const common = { method: 'GET', body: noBody } as const;

export const qosSpecCalls = [
  call({
    ...common,
    name: 'qos-spec:list',
    summary: 'Lists QoS specs',
    path: '/qos-specs',
    query: z.strictObject({ ...listQuery, name: z.string().max(255).optional() }),
    status: 200,
    answer: pageAnswer('qos_specs', specAnswer),
    async handle(request) {
      const { store } = request.cluster;
      const { name } = request.query;
      const page = await listPage(request, {
        records: qosSpecsOf(store),
        index: store.keys.qosSpecs(),
        query: request.query,
        matches: name === undefined ? undefined : (spec) => spec.name === name,
        sortedBy: { name: (spec) => spec.name, consumer: (spec) => spec.consumer },
      });
      return pageDocument('qos_specs', page.states.map(specView), page);
    },
  }),
  call({
    name: 'qos-spec:change',
    summary: 'Makes a QoS spec',
    method: 'POST',
    path: '/qos-specs',
    query: noQuery,
    body: z.strictObject({
      qos_specs: z
        .object({ name: z.string().trim().min(1, 'must not be empty'), consumer: consumer.nullish() })
        .catchall(value),
    }),
    status: 200,
    answer: oneSpec,
    async handle(request) {
      const { name, consumer: by, ...specs } = request.body.qos_specs;
      const spec = await createQosSpec(request.cluster.store, {
        id: idOfNew(request, 'qos-spec:create'),
        name,
        consumer: by ?? 'back-end',
        specs,
      });
      return documentOf(request, spec);
    },
  }),
  call({
    ...common,
    name: 'qos-spec:list',
    summary: 'Shows a QoS spec',
    path: '/qos-specs/:id',
    query: noQuery,
    status: 200,
    answer: oneSpec,
    handle: async (request) =>
      documentOf(request, await qosSpecsOf(request.cluster.store).lookup(idOf(request.param('id')))),
  }),
  call({
    name: 'qos-spec:change',
    summary: 'Sets keys of a QoS spec; the others stay. They hold for attachments that are made later',
    method: 'PUT',
    path: '/qos-specs/:id',
    query: noQuery,
    body: z.strictObject({ qos_specs: z.object({ consumer: consumer.nullish() }).catchall(value) }),
    status: 200,
    answer: z.strictObject({ qos_specs: z.record(z.string(), z.string().nullable()) }),
    async handle(request) {
      const { consumer: by, ...specs } = request.body.qos_specs;
      await updateQosSpec(request.cluster.store, idOf(request.param('id')), { consumer: by ?? undefined, specs });
      return request.body;
    },
  }),
  call({
    name: 'qos-spec:change',
    summary: 'Deletes a QoS spec that no type has; with force also one that types have',
    method: 'DELETE',
    path: '/qos-specs/:id',
    query: z.strictObject({ force: trueOrFalse.optional() }),
    body: noBody,
    status: 202,
    answer: noAnswer,
    handle: (request) =>
      deleteQosSpec(request.cluster.store, idOf(request.param('id')), { force: request.query.force ?? false }),
  }),
  call({
    name: 'qos-spec:change',
    summary: 'Removes keys of a QoS spec',
    method: 'PUT',
    path: '/qos-specs/:id/delete_keys',
    query: noQuery,
    body: z.strictObject({ keys: z.array(z.string().min(1).max(255)).max(128) }),
    status: 202,
    answer: noAnswer,
    async handle(request) {
      await updateQosSpec(request.cluster.store, idOf(request.param('id')), { unset: request.body.keys });
    },
  }),
  call({
    ...common,
    name: 'qos-spec:list',
    summary: 'Lists the volume types that have a QoS spec',
    path: '/qos-specs/:id/associations',
    query: noQuery,
    status: 200,
    answer: z.object({
      qos_associations: z.array(z.object({ association_type: z.string(), name: z.string(), id: z.string() })),
    }),
    async handle(request) {
      const { cluster, flags } = request;
      const types = await typesWith(cluster.store, idOf(request.param('id')), flags.api_max_limit);
      return {
        qos_associations: types.map(({ id, name }) => ({ association_type: 'volume_type', name, id })),
      };
    },
  }),
  call({
    ...common,
    name: 'qos-spec:change',
    summary: 'Gives a volume type a QoS spec',
    path: '/qos-specs/:id/associate',
    query: typeQuery,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id } = await ownType(request, request.query.vol_type_id);
      await associate(request.cluster.store, idOf(request.param('id')), id);
    },
  }),
  call({
    ...common,
    name: 'qos-spec:change',
    summary: 'Takes a QoS spec from a volume type',
    path: '/qos-specs/:id/disassociate',
    query: typeQuery,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id } = await ownType(request, request.query.vol_type_id);
      await dissociate(request.cluster.store, idOf(request.param('id')), id);
    },
  }),
  call({
    ...common,
    name: 'qos-spec:change',
    summary: 'Takes a QoS spec from all volume types',
    path: '/qos-specs/:id/disassociate_all',
    query: noQuery,
    status: 202,
    answer: noAnswer,
    handle: (request) => dissociateAll(request.cluster.store, idOf(request.param('id'))),
  }),
];

/** Throws QosSpecNotFound. */
function idOf(text: string): string {
  if (!isId(text)) throw errors.qosSpecNotFound(text.slice(0, 100));
  return text;
}

function specView({ id, name, consumer: by, specs, createTime }: QosSpecState) {
  return { id, name, consumer: by, specs, created_at: apiTime(createTime) };
}

function documentOf({ base }: Pick<Context, 'base'>, spec: QosSpecState) {
  return { qos_specs: specView(spec), links: [{ rel: 'self', href: `${base}/qos-specs/${spec.id}` }] };
}
