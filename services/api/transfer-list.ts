import { z } from 'zod';
import type { TransferState } from '../../lib/models/transfer-state.ts';
import { transfersOf } from '../../lib/models/transfer.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { type Listed, listPage, listQuery } from './listing.ts';

const text = z.string().max(255).optional();

/** What a list of transfers can be asked for. */
export const transferQuery = z.strictObject({
  ...listQuery,
  name: text,
  'name~': text,
  volume_id: text,
  project_id: text,
});
type TransferQuery = z.output<typeof transferQuery>;

/** The page of transfers that a request asks for, of one project or, for an administrator, of all. */
export async function listTransfers(context: Context, query: TransferQuery): Promise<Listed<TransferState>> {
  const { store } = context.cluster;
  const isAll = hasRole(context.caller, 'admin') && (query.all_tenants ?? false);
  const project = isAll ? query.project_id : context.caller.projectId;
  const { name, 'name~': part = '', volume_id: volume } = query;
  const isFiltered = name !== undefined || part !== '' || volume !== undefined;
  return listPage(context, {
    records: transfersOf(store),
    index: project === undefined ? store.keys.transfers() : store.keys.projectTransfers(project),
    query,
    matches: isFiltered
      ? (transfer) =>
          (name ?? transfer.name) === transfer.name &&
          transfer.name.includes(part) &&
          (volume ?? transfer.volume) === transfer.volume
      : undefined,
    sortedBy: { name: (transfer) => transfer.name, volume_id: (transfer) => transfer.volume },
  });
}
