import { attachmentsOf } from '../../lib/models/attachment.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { attachmentColumns, attachmentJson } from './present.ts';

export interface ListAttachmentsOptions {
  volume?: string;
  project?: string;
  limit?: number;
  marker?: string;
}

export async function listAttachments(context: Context, options: ListAttachmentsOptions): Promise<void> {
  const { limit, marker } = options;
  checkMarker(marker);
  await using session = await context.open();
  await writeList(context.output, {
    records: attachmentsOf(session.store),
    index: await indexOf(session.store, options),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'attachment',
    columns: attachmentColumns,
    json: attachmentJson,
  });
}

async function indexOf(store: Store, { volume, project }: ListAttachmentsOptions): Promise<string> {
  if (volume !== undefined) return store.keys.volumeAttachments((await findVolume(store, volume)).id);
  return project === undefined ? store.keys.attachments() : store.keys.projectAttachments(project);
}
