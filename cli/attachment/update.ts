import { errors } from '../../lib/errors.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';
import { checkExport, hostsGiven } from '../volume/admission.ts';
import { withProgress } from '../volume/follow.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { attachmentJson } from './present.ts';

export interface UpdateAttachmentOptions extends ChangeOptions {
  mountpoint?: string;
  host?: string;
  mode?: 'rw' | 'ro';
  mac?: readonly string[];
  initiator?: readonly string[];
  nqn?: readonly string[];
}

/** Prints the id. */
export async function updateAttachment(context: Context, id: string, options: UpdateAttachmentOptions): Promise<void> {
  const { mountpoint, host, mode } = options;
  const { output, interrupts } = context;
  const hosts = hostsGiven(options);
  await using session = await context.open();
  const { store } = session;
  const reserved = await attachmentsOf(store).lookup(id);
  const volume = await volumesOf(store).lookup(reserved.volume);
  await checkExport(store, volume, { ...options, mode: mode ?? reserved.mode });
  const given = {
    ...(mountpoint === undefined ? {} : { mountpoint }),
    ...(host === undefined ? {} : { hostName: host }),
    ...(mode === undefined ? {} : { mode }),
    ...(hosts === undefined ? {} : { hosts }),
  };
  const work = () => session.attachments.update(id, given, sendOptions(options));
  const { use } = await interrupts.during(
    'attachment',
    volume.id,
    () => withProgress(output, store, volume.id, work),
    errors.attachmentInterrupted,
  );
  if (output.json) await output.document(attachmentJson(use));
  else await output.line(id);
}
