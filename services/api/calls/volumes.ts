import { z } from 'zod';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { eitherText, givenText } from '../given-text.ts';
import { idOfNew } from '../idempotency.ts';
import { pageAnswer, pageDocument, trueOrFalse } from '../listing.ts';
import { refusalOf } from '../never-met.ts';
import { newVolume } from '../new-volume.ts';
import { ownGroup } from '../own-group.ts';
import { ownVolume } from '../owned.ts';
import { checkPolicy } from '../policy.ts';
import { endClaims, removeVolume } from '../remove-volume.ts';
import { description, id, metadata, name, optional, size, yesOrNo } from '../schemas.ts';
import { volumeDocument, volumeSummaryDocument } from '../views/volume-document.ts';
import { volumeFacts, volumeSummaryView, volumeView } from '../views/volume.ts';
import { listVolumes, volumeQuery } from '../volume-list.ts';

const oneVolume = z.strictObject({ volume: volumeDocument });

/** Clients send the size of a source with it, which is 0 for a volume of 100 MiB. */
const sizeOfSource = z.literal(0).describe('With snapshot_id, source_volid or backup_id: the size that has');
const volumeFields = z.strictObject({
  size: z.union([sizeOfSource, size], 'must be a whole number of GiB from 1 to 1000').nullish(),
  name,
  display_name: name,
  description,
  display_description: description,
  volume_type: z.string().max(255).nullish(),
  availability_zone: z.string().max(255).nullish(),
  metadata: metadata.nullish(),
  imageRef: optional(id),
  snapshot_id: optional(id),
  source_volid: optional(id),
  source_replica: z.null().optional(),
  backup_id: optional(z.string().max(255)),
  consistencygroup_id: z.null().optional(),
  group_id: optional(id),
  multiattach: yesOrNo.nullish(),
  scheduler_hints: z.unknown().optional(),
  // Of old clients, without effect there as well.
  user_id: z.unknown().optional(),
  project_id: z.unknown().optional(),
  status: z.unknown().optional(),
  attach_status: z.unknown().optional(),
});
const volumeInput = volumeFields.refine(
  ({ size: given, snapshot_id: snapshot, source_volid: source, backup_id: backup }) =>
    given !== 0 || [snapshot, source, backup].some((one) => one !== undefined),
  { path: ['size'], error: 'must be at least 1 GiB' },
);
const hints = z.strictObject({
  different_host: z.union([z.array(id), id.transform((one) => [one])]).nullish(),
  same_host: z.union([z.array(id), id.transform((one) => [one])]).nullish(),
  query: z.null().optional(),
  local_to_instance: z.null().optional(),
});
const createBody = z
  .strictObject({
    volume: volumeInput,
    'OS-SCH-HNT:scheduler_hints': hints.nullish(),
    scheduler_hints: hints.nullish(),
  })
  .meta({ example: { volume: { size: 1, name: 'data' } } });
const updateBody = z.strictObject({
  volume: z.strictObject({
    name,
    display_name: name,
    description,
    display_description: description,
    metadata: metadata.nullish(),
  }),
});

export const volumeCalls = [
  call({
    name: 'volume:list',
    summary: 'Lists volumes',
    method: 'GET',
    path: '/volumes',
    query: volumeQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('volumes', volumeSummaryDocument),
    async handle(request) {
      const page = await listVolumes(request, request.query);
      return pageDocument(
        'volumes',
        page.states.map((volume) => volumeSummaryView(volume, request)),
        page,
      );
    },
  }),
  call({
    name: 'volume:list',
    summary: 'Lists volumes with all they have',
    method: 'GET',
    path: '/volumes/detail',
    query: volumeQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('volumes', volumeDocument),
    async handle(request) {
      const page = await listVolumes(request, request.query);
      const facts = await volumeFacts(request.cluster.store, page.states);
      return pageDocument(
        'volumes',
        page.states.map((volume) => volumeView(volume, facts, request)),
        page,
      );
    },
  }),
  call({
    name: 'volume:show',
    summary: 'Shows a volume',
    method: 'GET',
    path: '/volumes/:id',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: oneVolume,
    handle: async (request) => ({ volume: await viewOf(request, await ownVolume(request, request.param('id'))) }),
  }),
  call({
    name: 'volume:create',
    summary: 'Creates a volume: empty, or with the data of a snapshot, a volume, an image or a backup',
    method: 'POST',
    path: '/volumes',
    query: noQuery,
    body: createBody,
    status: 202,
    answer: oneVolume,
    async handle(request) {
      const { caller, cluster, body } = request;
      const { volume } = body;
      const hint = body['OS-SCH-HNT:scheduler_hints'] ?? body.scheduler_hints;
      const origin = await newVolume(request, {
        size: volume.size || undefined,
        image: volume.imageRef,
        snapshot: volume.snapshot_id,
        source: volume.source_volid,
        backup: volume.backup_id,
        type: volume.volume_type || undefined,
        zone: volume.availability_zone || undefined,
        apartFrom: hint?.different_host ?? [],
        near: hint?.same_host ?? [],
      });
      const isMultiattach = volume.multiattach ?? false;
      const asked = {
        id: idOfNew(request, 'volume:create'),
        userId: caller.userId,
        projectId: caller.projectId,
        ...origin,
        ...(isMultiattach ? { isMultiattach } : {}),
        ...(volume.group_id === undefined ? {} : { group: (await ownGroup(request, volume.group_id)).id }),
        ...givenText('name', volume.name ?? volume.display_name),
        ...givenText('description', volume.description ?? volume.display_description),
        ...(volume.metadata ? { metadata: volume.metadata } : {}),
      };
      const created = await cluster.commands.create(asked).catch(async (error: unknown) => {
        const { type = '', zone: wantedZone = '', fromImage, fromBackup, node: at } = origin;
        const needs = (fromImage ?? fromBackup) === undefined ? undefined : ('images' as const);
        throw await refusalOf(request, { type, wantedZone, isMultiattach, needs, at }, error);
      });
      return { volume: await viewOf(request, created) };
    },
  }),
  call({
    name: 'volume:update',
    summary: 'Changes the name, the description or the metadata of a volume',
    method: 'PUT',
    path: '/volumes/:id',
    query: noQuery,
    body: updateBody,
    status: 200,
    answer: oneVolume,
    async handle(request) {
      const { body, cluster } = request;
      const { volume } = body;
      const { id: found } = await ownVolume(request, request.param('id'));
      const [named, noted] = [
        eitherText(volume.name, volume.display_name),
        eitherText(volume.description, volume.display_description),
      ];
      const changed = await cluster.commands.update(found, {
        ...(named === undefined ? {} : { name: named }),
        ...(noted === undefined ? {} : { description: noted }),
        ...(volume.metadata ? { metadata: volume.metadata } : {}),
      });
      return { volume: await viewOf(request, changed) };
    },
  }),
  call({
    name: 'volume:delete',
    summary: 'Deletes a volume; with cascade also its snapshots, with force (role admin) as os-force_delete does',
    method: 'DELETE',
    path: '/volumes/:id',
    query: z.strictObject({ cascade: trueOrFalse.optional(), force: trueOrFalse.optional() }),
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { cascade = false, force = false } = request.query;
      if (force) checkPolicy('volume:administer', request.caller);
      const volume = await ownVolume(request, request.param('id'));
      if (force) await endClaims(request, volume);
      await removeVolume(request, volume.id, { cascade });
    },
  }),
];

async function viewOf(context: Context, volume: VolumeState) {
  return volumeView(volume, await volumeFacts(context.cluster.store, [volume]), context);
}
