import { z } from 'zod';
import { connectionOf } from '../../../lib/client/connection.ts';
import type { HostOfAttachment } from '../../../lib/client/attachment-commands.ts';
import { asError, errors } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { mayEnd } from '../attachment-use.ts';
import { type Context, call, noBody } from '../call.ts';
import { type Connector, attachMode, connector, hostOf, modeFor, requireExport } from '../connector.ts';
import { ownVolume } from '../owned.ts';
import { id, optional } from '../schemas.ts';
import { connectionDocument } from '../views/attachment.ts';
import { begun, waiting } from '../waiting.ts';
import { acceptedAction, volumeAction } from '../volume-action.ts';

/** Attachments in the steps of clients that name the volume: reserve, connect, attach; begin to detach, disconnect, detach. */
const ofConnector = z.strictObject({ connector });
const ofAttachment = z
  .strictObject({ attachment_id: optional(id), connector: z.unknown().optional() })
  .nullish()
  .transform((body) => body?.attachment_id);
const text = optional(z.string().max(255));

export const volumeAttachCalls = [
  call({
    ...acceptedAction,
    name: 'volume:reserve',
    summary: 'Keeps a volume for the host that connects it next',
    action: 'os-reserve',
    body: noBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      await request.cluster.legacyAttach.reserve(volume.id, waiting(request));
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:reserve',
    summary: 'Takes that back',
    action: 'os-unreserve',
    body: noBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const options = { ...waiting(request), check: mayEnd(request.caller) };
      await request.cluster.legacyAttach.unreserve(volume.id, options);
    },
  }),
  call({
    ...volumeAction,
    name: 'volume:connect',
    summary: 'Admits a host to a volume, and says how it connects it',
    action: 'os-initialize_connection',
    body: ofConnector,
    status: 200,
    answer: z.strictObject({ connection_info: connectionDocument }),
    async handle(request) {
      const { store, legacyAttach } = request.cluster;
      const volume = await ownVolume(request, request.param('id'));
      await requireExport(store, volume);
      const host = await hostWithMode(request, volume, request.body.connector);
      const connected = await legacyAttach.connect(volume.id, host, waiting(request));
      const connection = await connectionOf(store, connected, connected.use);
      if (!connection) throw errors.notConnectable(volume.id);
      return { connection_info: connection };
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:connect',
    summary: 'The host has disconnected the volume: it is admitted no longer',
    action: 'os-terminate_connection',
    body: ofConnector,
    async handle(request) {
      const { store, legacyAttach } = request.cluster;
      const volume = await ownVolume(request, request.param('id'));
      const host = await hostOf(store, volume, request.body.connector);
      const own = await legacyAttach.attachmentOf(volume.id, host);
      if (!own) return;
      mayEnd(request.caller)(own);
      await legacyAttach.release(own, waiting(request));
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:attach',
    summary: 'An instance, or a host itself, uses the volume',
    action: 'os-attach',
    body: z.strictObject({
      instance_uuid: text,
      host_name: text,
      mountpoint: z.string().max(255),
      mode: attachMode.optional(),
    }),
    async handle(request) {
      const { cluster, body } = request;
      const volume = await ownVolume(request, request.param('id'));
      const { instance_uuid: instanceId = '', host_name: hostName, mountpoint } = body;
      const mode = await modeFor(cluster.store, volume, body.mode);
      const attachment = { instanceId, mountpoint, mode, ...(hostName === undefined ? {} : { hostName }) };
      await begun(cluster.legacyAttach.attach(volume.id, attachment, waiting(request)));
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:detach',
    summary: 'Announces that a volume is about to be detached',
    action: 'os-begin_detaching',
    body: noBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      await request.cluster.legacyAttach.beginDetach(volume.id);
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:detach',
    summary: 'Takes that back',
    action: 'os-roll_detaching',
    body: noBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      await request.cluster.legacyAttach.rollDetach(volume.id);
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:detach',
    summary: 'Ends an attachment of a volume. Of an instance that has it, services and administrators do so',
    action: 'os-detach',
    body: ofAttachment,
    async handle(request) {
      const { attachments, legacyAttach } = request.cluster;
      const volume = await ownVolume(request, request.param('id'));
      const meant = await legacyAttach.meant(volume.id, request.body);
      await begun(attachments.delete(meant.id, { ...waiting(request), check: mayEnd(request.caller) }));
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:force-detach',
    summary: 'Ends an attachment of a volume, whoever uses it',
    action: 'os-force_detach',
    body: ofAttachment,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      await begun(endByForce(request, volume, request.body));
    },
  }),
];

/** The mode is that of the reservation, unless the request or the volume has another one. */
async function hostWithMode(request: Context, volume: VolumeState, given: Connector): Promise<HostOfAttachment> {
  const { store } = request.cluster;
  const host = await hostOf(store, volume, given);
  if (host.mode === undefined && !volume.isReadOnly) return host;
  return { ...host, mode: await modeFor(store, volume, host.mode) };
}

async function endByForce(request: Context, { id: volume }: VolumeState, given: string | undefined): Promise<void> {
  const { attachments, legacyAttach, commands } = request.cluster;
  try {
    const { id: attachment } = await legacyAttach.meant(volume, given);
    await attachments.delete(attachment, waiting(request));
  } catch (error) {
    const { code } = asError(error);
    if (code !== 'AttachmentNotFound' && code !== 'VolumeNotAttached') throw error;
    // Redis may have lost its record.
    await commands.detach(volume, { attachment: given, ...waiting(request) });
  }
}
