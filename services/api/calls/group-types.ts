import { z } from 'zod';
import { createGroupType, deleteGroupType, updateGroupType } from '../../../lib/client/group-types.ts';
import { errors } from '../../../lib/errors.ts';
import { groupTypesOf } from '../../../lib/models/group-type.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { idOfNew } from '../idempotency.ts';
import { listPage, listQuery, pageAnswer, pageDocument } from '../listing.ts';
import { metadataItem } from '../metadata-item.ts';
import { ownGroupType } from '../own-group.ts';
import { description, extraSpecs, yesOrNo } from '../schemas.ts';
import { groupTypeDocument, groupTypeView } from '../views/group.ts';

const since = 11;
const oneType = z.strictObject({ group_type: groupTypeDocument });
const name = z.string().trim().min(1, 'must not be empty').max(255, 'must have at most 255 characters');
const specsDocument = z.strictObject({ group_specs: extraSpecs });
const one = { since, path: '/group_types/:id', query: noQuery } as const;
const specs = { since, path: '/group_types/:id/group_specs', query: noQuery } as const;
const oneSpec = { ...specs, path: '/group_types/:id/group_specs/:key' } as const;

export const groupTypeCalls = [
  call({
    since,
    name: 'group-type:list',
    summary: 'Lists types of groups',
    method: 'GET',
    path: '/group_types',
    query: z.strictObject({
      ...listQuery,
      name: z.string().max(255).optional(),
      is_public: z.string().max(10).optional().describe('Without effect: an administrator sees all'),
    }),
    body: noBody,
    status: 200,
    answer: pageAnswer('group_types', groupTypeDocument),
    async handle(request) {
      const { store } = request.cluster;
      const isAdmin = hasRole(request.caller, 'admin');
      const page = await listPage(request, {
        records: groupTypesOf(store),
        index: store.keys.groupTypes(),
        query: request.query,
        matches: ({ isPublic, name: own }) => (isPublic || isAdmin) && (request.query.name ?? own) === own,
        sortedBy: { name: (type) => type.name },
      });
      const types = page.states.map((type) => groupTypeView(type, request));
      return pageDocument('group_types', types, page);
    },
  }),
  call({
    since,
    name: 'group-type:change',
    summary: 'Makes a type of groups',
    method: 'POST',
    path: '/group_types',
    query: noQuery,
    body: z.strictObject({
      group_type: z.strictObject({
        name,
        description,
        is_public: yesOrNo.nullish(),
        group_specs: extraSpecs.nullish(),
      }),
    }),
    status: 202,
    answer: oneType,
    async handle(request) {
      const { group_type: given } = request.body;
      const type = await createGroupType(request.cluster.store, {
        id: idOfNew(request, 'group-type:create'),
        name: given.name,
        ...(given.description ? { description: given.description } : {}),
        ...(given.group_specs ? { specs: given.group_specs } : {}),
        isPublic: given.is_public ?? true,
      });
      return { group_type: groupTypeView(type, request) };
    },
  }),
  call({
    ...one,
    name: 'group-type:list',
    summary: 'Shows a type of groups',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: oneType,
    handle: async (request) => ({
      group_type: groupTypeView(await ownGroupType(request, request.param('id')), request),
    }),
  }),
  call({
    ...one,
    name: 'group-type:change',
    summary: 'Changes the name, the description or the visibility of a type of groups',
    method: 'PUT',
    body: z.strictObject({
      group_type: z.strictObject({ name: name.nullish(), description, is_public: yesOrNo.nullish() }),
    }),
    status: 200,
    answer: oneType,
    async handle(request) {
      const { group_type: given } = request.body;
      const { id } = await ownGroupType(request, request.param('id'));
      const { is_public: isPublic, description: noted } = given;
      const type = await updateGroupType(request.cluster.store, id, {
        ...(given.name ? { name: given.name } : {}),
        ...(noted === undefined || noted === null ? {} : { description: noted }),
        ...(isPublic === undefined || isPublic === null ? {} : { isPublic }),
      });
      return { group_type: groupTypeView(type, request) };
    },
  }),
  call({
    ...one,
    name: 'group-type:change',
    summary: 'Deletes a type of groups that no group has',
    method: 'DELETE',
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id } = await ownGroupType(request, request.param('id'));
      await deleteGroupType(request.cluster.store, id);
    },
  }),
  call({
    ...specs,
    name: 'group-type:change',
    summary: 'Lists the specs of a type of groups',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: specsDocument,
    handle: async (request) => ({ group_specs: (await ownGroupType(request, request.param('id'))).specs }),
  }),
  call({
    ...specs,
    name: 'group-type:change',
    summary: 'Sets specs of a type of groups; the others stay',
    method: 'POST',
    body: specsDocument,
    status: 202,
    answer: specsDocument,
    async handle(request) {
      const { id } = await ownGroupType(request, request.param('id'));
      const { group_specs: given } = request.body;
      await updateGroupType(request.cluster.store, id, { specs: given });
      return { group_specs: given };
    },
  }),
  call({
    ...oneSpec,
    name: 'group-type:change',
    summary: 'Shows one spec of a type of groups',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: extraSpecs,
    async handle(request) {
      const { id, specs: found } = await ownGroupType(request, request.param('id'));
      const key = request.param('key');
      const value = metadataItem(found, key);
      if (value === undefined) throw errors.metadataNotFound(`group type ${id}`, key);
      return { [key]: value };
    },
  }),
  call({
    ...oneSpec,
    name: 'group-type:change',
    summary: 'Sets one spec of a type of groups',
    method: 'PUT',
    body: extraSpecs,
    status: 200,
    answer: extraSpecs,
    async handle(request) {
      const { id } = await ownGroupType(request, request.param('id'));
      const key = request.param('key');
      const value = metadataItem(request.body, key);
      if (value === undefined || Object.keys(request.body).length !== 1) {
        throw errors.invalidRequest([`the body must have the key ${key} alone`]);
      }
      await updateGroupType(request.cluster.store, id, { specs: { [key]: value } });
      return { [key]: value };
    },
  }),
  call({
    ...oneSpec,
    name: 'group-type:change',
    summary: 'Removes one spec of a type of groups',
    method: 'DELETE',
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id, specs: found } = await ownGroupType(request, request.param('id'));
      const key = request.param('key');
      if (metadataItem(found, key) === undefined) throw errors.metadataNotFound(`group type ${id}`, key);
      await updateGroupType(request.cluster.store, id, { unsetSpecs: [key] });
    },
  }),
];
