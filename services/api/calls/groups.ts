import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import type { GroupState } from '../../../lib/models/group-state.ts';
import { groupsOf, volumesOfGroup } from '../../../lib/models/group.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { givenText } from '../given-text.ts';
import { idOfNew } from '../idempotency.ts';
import { type Listed, listPage, listQuery, pageAnswer, pageDocument, trueOrFalse } from '../listing.ts';
import { ownGroup, usableGroupType } from '../own-group.ts';
import { usableType } from '../own-type.ts';
import { ownVolume } from '../owned.ts';
import { description, id, name, yesOrNo } from '../schemas.ts';
import { groupDocument, groupSummaryDocument, groupSummaryView, groupView } from '../views/group.ts';

const since = 13;
const text = z.string().max(255).optional();
const groupQuery = z.strictObject({ ...listQuery, name: text, status: text, list_volume: trueOrFalse.optional() });
const reference = z.string().min(1, 'must not be empty').max(255);
/** As clients write lists of volumes: ids with commas between them. */
const ids = z
  .string()
  .max(4096)
  .transform((list) => list.split(',').flatMap((one) => one.trim() || []))
  .pipe(z.array(id))
  .nullish();
const action = {
  since,
  method: 'POST',
  path: '/groups/:id/action',
  query: noQuery,
  status: 202,
  answer: noAnswer,
} as const;

export const groupCalls = [
  call({
    since,
    name: 'group:list',
    summary: 'Lists groups of volumes',
    method: 'GET',
    path: '/groups',
    query: groupQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('groups', groupSummaryDocument),
    async handle(request) {
      const page = await listed(request, request.query);
      return pageDocument('groups', page.states.map(groupSummaryView), page);
    },
  }),
  call({
    since,
    name: 'group:list',
    summary: 'Lists groups of volumes with all they have',
    method: 'GET',
    path: '/groups/detail',
    query: groupQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('groups', groupDocument),
    async handle(request) {
      const page = await listed(request, request.query);
      const listsVolumes = request.query.list_volume ?? false;
      const groups = await Promise.all(page.states.map((group) => viewOf(request, group, listsVolumes)));
      return pageDocument('groups', groups, page);
    },
  }),
  call({
    since,
    name: 'group:change',
    summary: 'Makes an empty group of volumes',
    method: 'POST',
    path: '/groups',
    query: noQuery,
    body: z.strictObject({
      group: z.strictObject({
        name,
        description,
        group_type: reference,
        volume_types: z.array(reference).min(1, 'must have a type').max(100),
        availability_zone: z.string().max(255).nullish().describe('Without effect: the first volume decides'),
      }),
    }),
    status: 202,
    answer: z.strictObject({ group: groupSummaryDocument }),
    async handle(request) {
      const { caller, cluster, body } = request;
      const { group: given } = body;
      const type = await usableGroupType(request, given.group_type);
      const types = await Promise.all(given.volume_types.map((one) => usableType(request, one)));
      const group = await cluster.groups.create({
        id: idOfNew(request, 'group:create'),
        userId: caller.userId,
        projectId: caller.projectId,
        type: type.id,
        volumeTypes: [...new Set(types.map((one) => one.id))],
        ...givenText('name', given.name),
        ...givenText('description', given.description),
      });
      return { group: groupSummaryView(group) };
    },
  }),
  call({
    since,
    name: 'group:list',
    summary: 'Shows a group of volumes; with list_volume from 3.25 on also their ids',
    method: 'GET',
    path: '/groups/:id',
    query: z.strictObject({ list_volume: trueOrFalse.optional() }),
    body: noBody,
    status: 200,
    answer: z.strictObject({ group: groupDocument }),
    async handle(request) {
      const group = await ownGroup(request, request.param('id'));
      return { group: await viewOf(request, group, request.query.list_volume ?? false) };
    },
  }),
  call({
    since,
    name: 'group:change',
    summary: 'Changes the name or the description of a group, adds volumes to it and removes others',
    method: 'PUT',
    path: '/groups/:id',
    query: noQuery,
    body: z.strictObject({
      group: z.strictObject({ name, description, add_volumes: ids, remove_volumes: ids }),
    }),
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { group: given } = request.body;
      const { id: group } = await ownGroup(request, request.param('id'));
      const volumes = async (list: readonly string[] | null | undefined) =>
        Promise.all((list ?? []).map(async (volume) => (await ownVolume(request, volume)).id));
      await request.cluster.groups.update(group, {
        ...(given.name === undefined || given.name === null ? {} : { name: given.name }),
        ...(given.description === undefined || given.description === null ? {} : { description: given.description }),
        add: await volumes(given.add_volumes),
        remove: await volumes(given.remove_volumes),
      });
    },
  }),
  call({
    ...action,
    name: 'group:change',
    summary: 'Deletes a group; with delete-volumes also its volumes',
    action: 'delete',
    body: z.strictObject({ 'delete-volumes': yesOrNo.nullish() }),
    async handle(request) {
      const { id: group } = await ownGroup(request, request.param('id'));
      await request.cluster.groups.delete(group, { volumes: request.body['delete-volumes'] ?? false });
    },
  }),
  call({
    ...action,
    since: 20,
    name: 'group:administer',
    summary: 'A group is available: another status is refused',
    action: 'reset_status',
    body: z.strictObject({ status: z.string().max(255) }),
    async handle(request) {
      const { id: group } = await ownGroup(request, request.param('id'));
      if (request.body.status === 'available') return;
      throw errors.notOffered(`group ${group} is available, as every group`, 'leave it so');
    },
  }),
  call({
    since: 14,
    name: 'group:change',
    summary: 'Refused: a group is not made from another one or from a group snapshot at once',
    method: 'POST',
    path: '/groups/action',
    action: 'create-from-src',
    query: noQuery,
    body: z.unknown(),
    status: 202,
    answer: z.never(),
    handle: async () => {
      throw errors.notOffered(
        'groups are not made from others at once',
        'make volumes from the snapshots of the group snapshot, and add them to a new group',
      );
    },
  }),
];

async function viewOf(context: Context, group: GroupState, listsVolumes: boolean) {
  const volumes = await volumesOfGroup(context.cluster.store, group.id);
  return groupView(group, volumes, { version: context.version, listsVolumes });
}

function listed(context: Context, query: z.output<typeof groupQuery>): Promise<Listed<GroupState>> {
  const { caller, cluster } = context;
  const { keys } = cluster.store;
  const isAll = hasRole(caller, 'admin') && (query.all_tenants ?? false);
  const { name: named, status } = query;
  return listPage(context, {
    records: groupsOf(cluster.store),
    index: isAll ? keys.groups() : keys.projectGroups(caller.projectId),
    query,
    matches:
      named === undefined && status === undefined
        ? undefined
        : (group) => (named ?? group.name) === group.name && (status ?? 'available') === 'available',
    sortedBy: { name: (group) => group.name },
  });
}
