import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import type { GroupSnapshotState } from '../../../lib/models/group-snapshot-state.ts';
import { groupSnapshotsOf } from '../../../lib/models/group-snapshot.ts';
import { snapshotStatuses } from '../../../lib/models/snapshot-state.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { givenText } from '../given-text.ts';
import { idOfNew } from '../idempotency.ts';
import { type Listed, listPage, listQuery, pageAnswer, pageDocument } from '../listing.ts';
import { ownGroup, ownGroupSnapshot } from '../own-group.ts';
import { description, id, name } from '../schemas.ts';
import {
  groupSnapshotDocument,
  groupSnapshotSummaryDocument,
  groupSnapshotSummaryView,
  groupSnapshotView,
} from '../views/group.ts';

const since = 14;
const text = z.string().max(255).optional();
const one = { since, path: '/group_snapshots/:id', query: noQuery } as const;
const snapshotQuery = z.strictObject({ ...listQuery, name: text, status: text, group_id: text });
const status = z.enum(snapshotStatuses, `must be one of ${snapshotStatuses.join(', ')}`);

export const groupSnapshotCalls = [
  call({
    since,
    name: 'group:list',
    summary: 'Lists group snapshots',
    method: 'GET',
    path: '/group_snapshots',
    query: snapshotQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('group_snapshots', groupSnapshotSummaryDocument),
    async handle(request) {
      const page = await listed(request, request.query);
      return pageDocument('group_snapshots', page.states.map(groupSnapshotSummaryView), page);
    },
  }),
  call({
    since,
    name: 'group:list',
    summary: 'Lists group snapshots with all they have',
    method: 'GET',
    path: '/group_snapshots/detail',
    query: snapshotQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('group_snapshots', groupSnapshotDocument),
    async handle(request) {
      const page = await listed(request, request.query);
      const snapshots = page.states.map((snapshot) => groupSnapshotView(snapshot, request));
      return pageDocument('group_snapshots', snapshots, page);
    },
  }),
  call({
    since,
    name: 'group:change',
    summary: 'Takes snapshots of all volumes of a group at one moment',
    method: 'POST',
    path: '/group_snapshots',
    query: noQuery,
    body: z
      .strictObject({ group_snapshot: z.strictObject({ group_id: id, name, description }) })
      .meta({ example: { group_snapshot: { group_id: '00000000-0000-4000-8000-000000000000', name: 'before' } } }),
    status: 202,
    answer: z.strictObject({ group_snapshot: groupSnapshotSummaryDocument }),
    async handle(request) {
      const { caller, cluster, body } = request;
      const { group_snapshot: given } = body;
      const { id: group } = await ownGroup(request, given.group_id);
      const snapshot = await cluster.groupSnapshots.create(group, {
        id: idOfNew(request, 'group-snapshot:create'),
        userId: caller.userId,
        projectId: caller.projectId,
        ...givenText('name', given.name),
        ...givenText('description', given.description),
      });
      return { group_snapshot: groupSnapshotSummaryView(snapshot) };
    },
  }),
  call({
    ...one,
    name: 'group:list',
    summary: 'Shows a group snapshot',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: z.strictObject({ group_snapshot: groupSnapshotDocument }),
    handle: async (request) => ({
      group_snapshot: groupSnapshotView(await ownGroupSnapshot(request, request.param('id')), request),
    }),
  }),
  call({
    ...one,
    name: 'group:change',
    summary: 'Deletes a group snapshot with its snapshots',
    method: 'DELETE',
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id: found } = await ownGroupSnapshot(request, request.param('id'));
      await request.cluster.groupSnapshots.delete(found);
    },
  }),
  call({
    since: 19,
    name: 'group:administer',
    summary: 'Refused unless the group snapshot has the status already, which follows from its storage',
    method: 'POST',
    path: '/group_snapshots/:id/action',
    action: 'reset_status',
    query: noQuery,
    body: z.strictObject({ status }),
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const found = await ownGroupSnapshot(request, request.param('id'));
      if (found.status === request.body.status) return;
      throw errors.notOffered(
        `group snapshot ${found.id} is ${found.status}: that follows from its storage, and is not set`,
        'wait until what is under way has ended, or delete it where it is of no use',
      );
    },
  }),
];

function listed(context: Context, query: z.output<typeof snapshotQuery>): Promise<Listed<GroupSnapshotState>> {
  const { caller, cluster } = context;
  const { keys } = cluster.store;
  const isAll = hasRole(caller, 'admin') && (query.all_tenants ?? false);
  const { name: named, status: state, group_id: group } = query;
  const asked = [named, state, group].some((found) => found !== undefined);
  return listPage(context, {
    records: groupSnapshotsOf(cluster.store),
    index: isAll ? keys.groupSnapshots() : keys.projectGroupSnapshots(caller.projectId),
    query,
    matches: asked
      ? (found) =>
          (named ?? found.name) === found.name &&
          (state ?? found.status) === found.status &&
          (group ?? found.group) === found.group
      : undefined,
    sortedBy: { name: (found) => found.name, status: (found) => found.status },
  });
}
