import { z } from 'zod';
import { createType, deleteType, updateType } from '../../../lib/client/types.ts';
import { errors } from '../../../lib/errors.ts';
import { type TypeState, isUsableBy } from '../../../lib/models/type-state.ts';
import { typesOf } from '../../../lib/models/type.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { changesBy, specsOf } from '../extra-specs.ts';
import { idOfNew } from '../idempotency.ts';
import { listPage, listQuery, pageAnswer, pageDocument } from '../listing.ts';
import { metadataFilter } from '../metadata-filter.ts';
import { metadataItem } from '../metadata-item.ts';
import { defaultType, ownType } from '../own-type.ts';
import { description, extraSpecs, yesOrNo } from '../schemas.ts';
import { typeDocument, typeView } from '../views/type.ts';

const oneType = z.strictObject({ volume_type: typeDocument });
const listAnswer = pageAnswer('volume_types', typeDocument).extend({
  volume_type_links: z.array(z.strictObject({ rel: z.literal('next'), href: z.string() })).optional(),
});
const name = z.string().trim().min(1, 'must not be empty').max(255, 'must have at most 255 characters');

const typeQuery = z.strictObject({
  ...listQuery,
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  is_public: z
    .enum(['None', 'none', '', 'True', 'true', '1', 'False', 'false', '0'], 'must be True, False or None')
    .optional(),
  extra_specs: z.string().max(4096).optional(),
});
type TypeQuery = z.output<typeof typeQuery>;

const createBody = z.strictObject({
  volume_type: z.strictObject({
    name,
    description,
    extra_specs: extraSpecs.nullish(),
    'os-volume-type-access:is_public': yesOrNo.nullish(),
  }),
});
const updateBody = z.strictObject({
  volume_type: z
    .strictObject({
      name: name.nullish(),
      description,
      is_public: yesOrNo.nullish(),
      'os-volume-type-access:is_public': yesOrNo.nullish(),
    })
    .refine(
      (type) => Object.values(type).some((value) => value !== undefined && value !== null),
      'must have a name, a description or is_public',
    ),
});

export const typeCalls = [
  call({
    name: 'type:list',
    summary: 'Lists volume types: those that the project can use, to an administrator also others',
    method: 'GET',
    path: '/types',
    query: typeQuery,
    body: noBody,
    status: 200,
    answer: listAnswer,
    async handle(request) {
      const { store } = request.cluster;
      const page = await listPage(request, {
        records: typesOf(store),
        index: store.keys.types(),
        query: request.query,
        matches: filterOf(request, request.query),
        sortedBy: { name: (type) => type.name },
      });
      const types = page.states.map((type) => typeView(type, request));
      const document = pageDocument('volume_types', types, page);
      // Some clients look for the next page by this name.
      const links = page.next === undefined ? {} : { volume_type_links: [{ rel: 'next', href: page.next }] };
      return { ...document, ...links };
    },
  }),
  call({
    name: 'type:create',
    summary: 'Makes a volume type',
    method: 'POST',
    path: '/types',
    query: noQuery,
    body: createBody,
    status: 200,
    answer: oneType,
    async handle(request) {
      const { volume_type: given } = request.body;
      const type = await createType(request.cluster.store, {
        id: idOfNew(request, 'type:create'),
        name: given.name,
        ...(given.description ? { description: given.description } : {}),
        ...changesBy(given.extra_specs ?? {}),
        isPublic: given['os-volume-type-access:is_public'] ?? true,
      });
      return { volume_type: typeView(type, request) };
    },
  }),
  call({
    name: 'type:show',
    summary: 'Shows the type of new volumes of the project that name none',
    method: 'GET',
    path: '/types/default',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: oneType,
    async handle(request) {
      const type = await defaultType(request);
      if (!type) throw errors.noDefaultType(request.caller.projectId);
      return { volume_type: typeView(type, request) };
    },
  }),
  call({
    name: 'type:show',
    summary: 'Shows a volume type',
    method: 'GET',
    path: '/types/:id',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: oneType,
    handle: async (request) => ({ volume_type: typeView(await ownType(request, request.param('id')), request) }),
  }),
  call({
    name: 'type:update',
    summary: 'Changes the name, the description or the visibility of a volume type',
    method: 'PUT',
    path: '/types/:id',
    query: noQuery,
    body: updateBody,
    status: 200,
    answer: oneType,
    async handle(request) {
      const { volume_type: given } = request.body;
      const { id } = await ownType(request, request.param('id'));
      const isPublic = given.is_public ?? given['os-volume-type-access:is_public'];
      const type = await updateType(request.cluster.store, id, {
        ...(given.name ? { name: given.name } : {}),
        ...(given.description === undefined || given.description === null ? {} : { description: given.description }),
        ...(isPublic === undefined || isPublic === null ? {} : { isPublic }),
      });
      return { volume_type: typeView(type, request) };
    },
  }),
  call({
    name: 'type:delete',
    summary: 'Deletes a volume type that no volume has',
    method: 'DELETE',
    path: '/types/:id',
    query: noQuery,
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id } = await ownType(request, request.param('id'));
      await deleteType(request.cluster.store, id);
    },
  }),
];

function filterOf({ caller }: Context, query: TypeQuery): (type: TypeState) => boolean {
  const isAdmin = hasRole(caller, 'admin');
  const { name: ownName, description: text, is_public: asked = 'True', extra_specs: specText } = query;
  const specs = specText === undefined ? [] : Object.entries(metadataFilter(specText));
  const isVisible = (type: TypeState) => {
    const isPrivateOnly = ['False', 'false', '0'].includes(asked);
    const isAny = ['None', 'none', ''].includes(asked);
    if (!isAdmin) return isUsableBy(type, caller.projectId) && !(isPrivateOnly && type.isPublic);
    if (isPrivateOnly) return !type.isPublic;
    return isAny || isUsableBy(type, caller.projectId);
  };
  return (type) => {
    if (!isVisible(type)) return false;
    if (ownName !== undefined && type.name !== ownName) return false;
    if (text !== undefined && type.description !== text) return false;
    const own = specs.length === 0 ? {} : specsOf(type, isAdmin);
    return specs.every(([key, value]) => metadataItem(own, key) === value);
  };
}
