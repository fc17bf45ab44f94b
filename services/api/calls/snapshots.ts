import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { eitherText, givenText } from '../given-text.ts';
import { idOfNew } from '../idempotency.ts';
import { pageAnswer, pageDocument } from '../listing.ts';
import { ownSnapshot, ownVolume } from '../owned.ts';
import { description, id, metadata, name, yesOrNo } from '../schemas.ts';
import { listSnapshots, snapshotQuery } from '../snapshot-list.ts';
import { awaitingTurn } from '../waiting.ts';
import { snapshotDocument, snapshotSummaryDocument, snapshotSummaryView, snapshotView } from '../views/snapshot.ts';

const oneSnapshot = z.strictObject({ snapshot: snapshotDocument });
const one = { path: '/snapshots/:id', query: noQuery } as const;
/** From this version on, volumes that are attached are as good as others. */
const forceImplied = 66;

const createBody = z
  .strictObject({
    snapshot: z.strictObject({
      volume_id: id,
      name,
      display_name: name,
      description,
      display_description: description,
      metadata: metadata.nullish(),
      force: yesOrNo.nullish().describe('Also of an attached volume; from 3.66 on that is so, and false is refused'),
    }),
  })
  .meta({ example: { snapshot: { volume_id: '00000000-0000-4000-8000-000000000000', name: 'before' } } });
const updateBody = z.strictObject({
  snapshot: z.strictObject({ name, display_name: name, description, display_description: description }),
});

export const snapshotCalls = [
  call({
    name: 'snapshot:list',
    summary: 'Lists snapshots',
    method: 'GET',
    path: '/snapshots',
    query: snapshotQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('snapshots', snapshotSummaryDocument),
    async handle(request) {
      const page = await listSnapshots(request, request.query);
      return pageDocument('snapshots', page.states.map(snapshotSummaryView), page);
    },
  }),
  call({
    name: 'snapshot:list',
    summary: 'Lists snapshots with all they have',
    method: 'GET',
    path: '/snapshots/detail',
    query: snapshotQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('snapshots', snapshotDocument),
    async handle(request) {
      const page = await listSnapshots(request, request.query);
      const snapshots = page.states.map((snapshot) => snapshotView(snapshot, request));
      return pageDocument('snapshots', snapshots, page);
    },
  }),
  call({
    ...one,
    name: 'snapshot:show',
    summary: 'Shows a snapshot',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: oneSnapshot,
    handle: async (request) => ({ snapshot: snapshotView(await ownSnapshot(request, request.param('id')), request) }),
  }),
  call({
    name: 'snapshot:create',
    summary: 'Takes a snapshot of a volume, with force also of an attached one',
    method: 'POST',
    path: '/snapshots',
    query: noQuery,
    body: createBody,
    status: 202,
    answer: oneSnapshot,
    async handle(request) {
      const { caller, cluster, version, body } = request;
      const given = body.snapshot;
      const isImplied = version >= forceImplied;
      if (isImplied && given.force === false) {
        throw errors.invalidRequest([
          `snapshot.force: must not be false from version 3.${forceImplied} on: snapshots of attached volumes need no force`,
        ]);
      }
      const { id: volume } = await ownVolume(request, given.volume_id);
      const asked = {
        id: idOfNew(request, 'snapshot:create'),
        userId: caller.userId,
        projectId: caller.projectId,
        force: isImplied || (given.force ?? false),
        ...givenText('name', given.name ?? given.display_name),
        ...givenText('description', given.description ?? given.display_description),
        ...(given.metadata ? { metadata: given.metadata } : {}),
      };
      const snapshot = await cluster.snapshots.create(volume, asked, awaitingTurn(request));
      return { snapshot: snapshotView(snapshot, request) };
    },
  }),
  call({
    ...one,
    name: 'snapshot:update',
    summary: 'Changes the name or the description of a snapshot',
    method: 'PUT',
    body: updateBody,
    status: 200,
    answer: oneSnapshot,
    async handle(request) {
      const { snapshot: given } = request.body;
      const { id: found } = await ownSnapshot(request, request.param('id'));
      const [named, noted] = [
        eitherText(given.name, given.display_name),
        eitherText(given.description, given.display_description),
      ];
      const changed = await request.cluster.snapshots.update(found, {
        ...(named === undefined ? {} : { name: named }),
        ...(noted === undefined ? {} : { description: noted }),
      });
      return { snapshot: snapshotView(changed, request) };
    },
  }),
  call({
    ...one,
    name: 'snapshot:delete',
    summary: 'Deletes a snapshot',
    method: 'DELETE',
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id: found } = await ownSnapshot(request, request.param('id'));
      await request.cluster.snapshots.delete(found, awaitingTurn(request));
    },
  }),
];
