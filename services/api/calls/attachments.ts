import { z } from 'zod';
import type { AttachmentState } from '../../../lib/models/attachment-state.ts';
import { type AttachedVolume, attachmentsOfVolume } from '../../../lib/models/attachment.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { attachmentQuery, listAttachments } from '../attachment-list.ts';
import { mayEnd } from '../attachment-use.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { type Connector, attachMode, connector, hostOf, modeFor } from '../connector.ts';
import { idOfNew } from '../idempotency.ts';
import { pageAnswer, pageDocument } from '../listing.ts';
import { attachmentId, ownAttachment, ownVolume, requireKnown } from '../owned.ts';
import { id, optional } from '../schemas.ts';
import {
  attachmentDocument,
  attachmentFacts,
  attachmentSummaryDocument,
  attachmentSummaryView,
  attachmentView,
  volumeFacts,
} from '../views/attachment.ts';
import { waiting } from '../waiting.ts';

const since = 27;
const sinceMode = 54;
const sinceComplete = 44;
const oneAttachment = z.strictObject({ attachment: attachmentDocument });
const one = { since, path: '/attachments/:id', query: noQuery } as const;

/** One without content is the same as none. */
const connectorOrNone = connector
  .nullish()
  .transform((given) => (given && Object.values(given).some((value) => value !== undefined) ? given : undefined));
const attachmentInput = {
  volume_uuid: id,
  instance_uuid: optional(z.string().max(255)),
  connector: connectorOrNone,
};
const createBody = z.strictObject({ attachment: z.strictObject(attachmentInput) });
const createBodyWithMode = z.strictObject({
  attachment: z.strictObject({ ...attachmentInput, mode: attachMode.optional() }),
});
const create = {
  name: 'attachment:create',
  summary: 'Keeps a volume for an instance or a host; with a connector it admits the host at once',
  method: 'POST',
  path: '/attachments',
  query: noQuery,
  status: 200,
  answer: oneAttachment,
} as const;

export const attachmentCalls = [
  call({
    name: 'attachment:list',
    summary: 'Lists attachments',
    method: 'GET',
    path: '/attachments',
    since,
    query: attachmentQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('attachments', attachmentSummaryDocument),
    async handle(request) {
      const page = await listAttachments(request, request.query);
      return pageDocument('attachments', page.states.map(attachmentSummaryView), page);
    },
  }),
  call({
    name: 'attachment:list',
    summary: 'Lists attachments with all they have',
    method: 'GET',
    path: '/attachments/detail',
    since,
    query: attachmentQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('attachments', attachmentDocument),
    async handle(request) {
      const page = await listAttachments(request, request.query);
      const facts = await attachmentFacts(request.cluster.store, page.states);
      const views = page.states.map((attachment) => attachmentView(attachment, facts, request));
      return pageDocument('attachments', views, page);
    },
  }),
  call({
    ...one,
    name: 'attachment:show',
    summary: 'Shows an attachment, with how its host connects the volume',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: oneAttachment,
    handle: async (request) => documentOf(request, await ownAttachment(request, request.param('id'))),
  }),
  call({
    ...create,
    since,
    until: sinceMode - 1,
    body: createBody,
    handle: (request) => createAttachment(request, request.body.attachment),
  }),
  call({
    ...create,
    since: sinceMode,
    body: createBodyWithMode,
    handle: (request) => createAttachment(request, request.body.attachment),
  }),
  call({
    ...one,
    name: 'attachment:update',
    summary: 'Admits a host to the volume that an attachment keeps',
    method: 'PUT',
    body: z.strictObject({ attachment: z.strictObject({ connector }) }),
    status: 200,
    answer: oneAttachment,
    async handle(request) {
      const { cluster, body } = request;
      const attachment = await ownAttachment(request, request.param('id'));
      const volume = await volumesOf(cluster.store).lookup(attachment.volume);
      const { connector: given } = body.attachment;
      if (given.mode !== undefined) await modeFor(cluster.store, volume, given.mode);
      const host = await hostOf(cluster.store, volume, given);
      return documentOfUse(request, await cluster.attachments.update(attachment.id, host, waiting(request)));
    },
  }),
  call({
    name: 'attachment:complete',
    summary: 'The host uses the volume',
    method: 'POST',
    path: '/attachments/:id/action',
    action: 'os-complete',
    since: sinceComplete,
    query: noQuery,
    body: noBody,
    status: 204,
    answer: noAnswer,
    async handle(request) {
      const check = (attachment: AttachmentState) => requireKnown(request.caller, attachment);
      await request.cluster.attachments.complete(attachmentId(request.param('id')), { check });
    },
  }),
  call({
    ...one,
    name: 'attachment:delete',
    summary:
      'Ends an attachment: its host loses the volume. Of an instance that has it, services and administrators do so',
    method: 'DELETE',
    body: noBody,
    status: 200,
    answer: z.strictObject({ attachments: z.array(attachmentSummaryDocument) }),
    async handle(request) {
      const { cluster, caller } = request;
      const checkUse = mayEnd(caller);
      const check = (attachment: AttachmentState) => {
        requireKnown(caller, attachment);
        checkUse(attachment);
      };
      const ended = attachmentId(request.param('id'));
      const volume = await cluster.attachments.delete(ended, { ...waiting(request), check });
      const left = volume ? await attachmentsOfVolume(cluster.store, volume) : [];
      return { attachments: left.map(attachmentSummaryView) };
    },
  }),
];

interface NewAttachment {
  volume_uuid: string;
  instance_uuid?: string | undefined;
  connector?: Connector | undefined;
  mode?: 'rw' | 'ro' | undefined;
}

async function createAttachment(request: Context, given: NewAttachment) {
  const { cluster } = request;
  const { instance_uuid: instanceId, connector: host } = given;
  const volume = await ownVolume(request, given.volume_uuid);
  const reservation = {
    id: idOfNew(request, 'attachment:create'),
    mode: await modeFor(cluster.store, volume, given.mode ?? host?.mode),
    ...(instanceId === undefined ? {} : { instanceId }),
  };
  if (!host) {
    return documentOf(request, await cluster.attachments.reserve(volume.id, reservation, waiting(request)));
  }
  const asked = { reservation, host: { ...(await hostOf(cluster.store, volume, host)), mode: reservation.mode } };
  return documentOfUse(request, await cluster.attachments.reserveFor(volume, asked, waiting(request)));
}

async function documentOf(request: Context, attachment: AttachmentState) {
  const facts = await attachmentFacts(request.cluster.store, [attachment]);
  return { attachment: attachmentView(attachment, facts, request) };
}

async function documentOfUse(request: Context, volume: AttachedVolume) {
  const facts = await volumeFacts(request.cluster.store, [volume]);
  return { attachment: attachmentView(volume.use, facts, request) };
}
