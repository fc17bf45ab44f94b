import { transfersOf } from '../../lib/models/transfer.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { transferColumns, transferJson } from './present.ts';

export interface ListTransfersOptions {
  project?: string;
  limit?: number;
  marker?: string;
}

export async function listTransfers(context: Context, options: ListTransfersOptions): Promise<void> {
  const { project, limit, marker } = options;
  checkMarker(marker);
  await using session = await context.open();
  const { keys } = session.store;
  await writeList(context.output, {
    records: transfersOf(session.store),
    index: project === undefined ? keys.transfers() : keys.projectTransfers(project),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'transfer',
    columns: transferColumns,
    json: transferJson,
  });
}
