import { z } from 'zod';
import type { TransferState } from '../../../lib/models/transfer-state.ts';
import type { Context } from '../call.ts';
import { links, since, time } from '../schemas.ts';
import { apiTime } from './time.ts';

const text = z.string().nullable();
const summary = { id: z.string(), volume_id: z.string(), name: text, links };
const details = {
  ...summary,
  created_at: time,
  no_snapshots: since(55, z.boolean()),
  source_project_id: since(57, z.string()),
  destination_project_id: since(57, z.null()),
  accepted: since(57, z.literal(false)),
};

export const transferSummaryDocument = z
  .strictObject(summary)
  .meta({ id: 'TransferSummary', description: 'A transfer in lists without details' });

export const transferDocument = z
  .strictObject(details)
  .meta({ id: 'Transfer', description: 'The offer of a volume to another project' });

export const newTransferDocument = z
  .strictObject({ ...details, auth_key: z.string().describe('With which it is accepted; shown at no other time') })
  .meta({ id: 'NewTransfer', description: 'A transfer with its key' });

/** Where transfers are, in the paths of the API. */
export type TransferRoot = '/os-volume-transfer' | '/volume-transfers';

/** The short form of lists. */
export function transferSummaryView(
  { id, volume, name }: Pick<TransferState, 'id' | 'volume' | 'name'>,
  root: TransferRoot,
  { base }: Pick<Context, 'base'>,
): z.input<typeof transferSummaryDocument> {
  return {
    id,
    volume_id: volume,
    name: name || null,
    links: [
      { rel: 'self', href: `${base}${root}/${id}` },
      { rel: 'bookmark', href: `${base.replace('/v3', '')}${root}/${id}` },
    ],
  };
}

/** The document of one transfer. */
export function transferView(
  transfer: TransferState,
  root: TransferRoot,
  context: Pick<Context, 'base' | 'version'>,
): z.input<typeof transferDocument> {
  const { createTime, withSnapshots, projectId } = transfer;
  const { version } = context;
  return {
    ...transferSummaryView(transfer, root, context),
    created_at: apiTime(createTime),
    ...(version >= 55 ? { no_snapshots: !withSnapshots } : {}),
    // One that is accepted has ended.
    ...(version >= 57 ? { source_project_id: projectId, destination_project_id: null, accepted: false } : {}),
  };
}
