import { z } from 'zod';
import { updateType } from '../../../lib/client/types.ts';
import { errors } from '../../../lib/errors.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { changesBy, changesWithout, specsOf } from '../extra-specs.ts';
import { metadataItem } from '../metadata-item.ts';
import { ownType } from '../own-type.ts';
import { extraSpecs } from '../schemas.ts';

const specsDocument = z.strictObject({ extra_specs: extraSpecs });
const path = '/types/:type/extra_specs';

export const typeSpecCalls = [
  call({
    name: 'type:extra-specs:list',
    summary: 'Lists the extra specs of a volume type; to others than administrators those that concern them',
    method: 'GET',
    path,
    query: noQuery,
    body: noBody,
    status: 200,
    answer: specsDocument,
    async handle(request) {
      const type = await ownType(request, request.param('type'));
      return { extra_specs: specsOf(type, hasRole(request.caller, 'admin')) };
    },
  }),
  call({
    name: 'type:extra-specs:change',
    summary: 'Sets extra specs of a volume type; the others stay',
    method: 'POST',
    path,
    query: noQuery,
    body: specsDocument,
    status: 200,
    answer: specsDocument,
    async handle(request) {
      const { id } = await ownType(request, request.param('type'));
      await updateType(request.cluster.store, id, changesBy(request.body.extra_specs));
      return { extra_specs: request.body.extra_specs };
    },
  }),
  call({
    name: 'type:extra-specs:list',
    summary: 'Shows one extra spec of a volume type',
    method: 'GET',
    path: `${path}/:key`,
    query: noQuery,
    body: noBody,
    status: 200,
    answer: extraSpecs,
    async handle(request) {
      const type = await ownType(request, request.param('type'));
      const key = request.param('key');
      const value = metadataItem(specsOf(type, hasRole(request.caller, 'admin')), key);
      if (value === undefined) throw errors.metadataNotFound(`volume type ${type.id}`, key);
      return { [key]: value };
    },
  }),
  call({
    name: 'type:extra-specs:change',
    summary: 'Sets one extra spec of a volume type',
    method: 'PUT',
    path: `${path}/:key`,
    query: noQuery,
    body: extraSpecs,
    status: 200,
    answer: extraSpecs,
    async handle(request) {
      const { id } = await ownType(request, request.param('type'));
      const key = request.param('key');
      const value = metadataItem(request.body, key);
      if (value === undefined || Object.keys(request.body).length !== 1) {
        throw errors.invalidRequest([`the body must have the key ${key} alone`]);
      }
      await updateType(request.cluster.store, id, changesBy({ [key]: value }));
      return { [key]: value };
    },
  }),
  call({
    name: 'type:extra-specs:change',
    summary: 'Removes one extra spec of a volume type',
    method: 'DELETE',
    path: `${path}/:key`,
    query: noQuery,
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const type = await ownType(request, request.param('type'));
      const key = request.param('key');
      const changes = changesWithout(type, key);
      if (!changes) throw errors.metadataNotFound(`volume type ${type.id}`, key);
      await updateType(request.cluster.store, type.id, changes);
    },
  }),
];
