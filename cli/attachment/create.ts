import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { defaultTimeoutMs } from '../volume/wait-options.ts';
import { attachmentJson } from './present.ts';

export interface CreateAttachmentOptions {
  instance: string;
  mountpoint?: string;
  host?: string;
  mode?: 'rw' | 'ro';
  id?: string;
}

/** Prints the id. */
export async function createAttachment(
  context: Context,
  reference: string,
  options: CreateAttachmentOptions,
): Promise<void> {
  const { instance, mountpoint, host, mode, id: own } = options;
  const { output } = context;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const reservation = {
    instanceId: instance,
    ...(own === undefined ? {} : { id: own }),
    ...(mountpoint === undefined ? {} : { mountpoint }),
    ...(host === undefined ? {} : { hostName: host }),
    ...(mode === undefined ? {} : { mode }),
  };
  const attachment = await session.attachments.reserve(id, reservation, { deadlineMs: defaultTimeoutMs });
  if (output.json) await output.document(attachmentJson(attachment));
  else await output.line(attachment.id);
}
