import { z } from 'zod';
import { removeDefaultType, setDefaultType } from '../../../lib/client/default-types.ts';
import { type DefaultTypeState, defaultTypesOf } from '../../../lib/models/default-type.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { listPage, listQuery, pageAnswer, pageDocument } from '../listing.ts';
import { usableType } from '../own-type.ts';

const answer = z.object({ project_id: z.string(), volume_type_id: z.string() });
const oneDefault = z.object({ default_type: answer });
const since = 62;
const one = { path: '/default-types/:project', since, query: noQuery } as const;

export const defaultTypeCalls = [
  call({
    name: 'default-type:list',
    summary: 'Lists the types of new volumes, of projects that have one of their own',
    method: 'GET',
    path: '/default-types',
    since,
    query: z.strictObject(listQuery),
    body: noBody,
    status: 200,
    answer: pageAnswer('default_types', answer),
    async handle(request) {
      const { store } = request.cluster;
      const page = await listPage(request, {
        records: defaultTypesOf(store),
        index: store.keys.defaultTypes(),
        query: request.query,
      });
      return pageDocument('default_types', page.states.map(viewOf), page);
    },
  }),
  call({
    ...one,
    name: 'default-type:list',
    summary: 'Shows the type of new volumes of a project',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: oneDefault,
    async handle(request) {
      return { default_type: viewOf(await defaultTypesOf(request.cluster.store).lookup(request.param('project'))) };
    },
  }),
  call({
    ...one,
    name: 'default-type:change',
    summary: 'Sets the type of new volumes of a project that name none',
    method: 'PUT',
    body: z.strictObject({ default_type: z.strictObject({ volume_type: z.string().min(1).max(255) }) }),
    status: 200,
    answer: oneDefault,
    async handle(request) {
      const { id } = await usableType(request, request.body.default_type.volume_type);
      return { default_type: viewOf(await setDefaultType(request.cluster.store, request.param('project'), id)) };
    },
  }),
  call({
    ...one,
    name: 'default-type:change',
    summary: 'New volumes of a project have no type of their own any more',
    method: 'DELETE',
    body: noBody,
    status: 204,
    answer: noAnswer,
    handle: (request) => removeDefaultType(request.cluster.store, request.param('project')),
  }),
];

function viewOf({ id, type }: DefaultTypeState) {
  return { project_id: id, volume_type_id: type };
}
