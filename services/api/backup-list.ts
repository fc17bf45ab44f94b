import { z } from 'zod';
import type { Backup } from '../../lib/backups/backup.ts';
import { currentBackups } from './backup-state.ts';
import type { Context } from './call.ts';
import { hasRole } from './caller.ts';
import { type Listed, arrayPage, listQuery } from './listing.ts';
import { metadataFilter } from './metadata-filter.ts';
import { metadataItem } from './metadata-item.ts';
import { neededBackups } from './views/backup.ts';

const text = z.string().max(255).optional();

/** What a list of backups can be asked for. */
export const backupQuery = z.strictObject({
  ...listQuery,
  name: text,
  'name~': text,
  status: text,
  volume_id: text,
  volume_name: text,
  project_id: text,
  metadata: z.string().max(4096).optional(),
});
type BackupQuery = z.output<typeof backupQuery>;

/** The page of backups that a request asks for, of one project or, for an administrator, of all; `needed`: those that later ones need. */
export async function listBackups(
  context: Context,
  query: BackupQuery,
): Promise<Listed<Backup> & { needed: ReadonlySet<string> }> {
  const { caller, backups } = context;
  const isAdmin = hasRole(caller, 'admin');
  const isAll = isAdmin && (query.all_tenants ?? false);
  const project = isAll ? query.project_id : caller.projectId;
  const all = await backups.catalog.list();
  const own = all.filter(({ projectId }) => (project ?? projectId) === projectId);
  const page = arrayPage(context, query.status === undefined ? own : await currentBackups(context, own), {
    query,
    matches: filterOf(query),
    sortedBy: {
      name: ({ name }) => name,
      status: ({ status }) => status,
      size: ({ size }) => size,
      volume_id: ({ volume }) => volume,
    },
  });
  return { ...page, states: await currentBackups(context, page.states), needed: neededBackups(all) };
}

function filterOf(query: BackupQuery): (backup: Backup) => boolean {
  const { name, 'name~': part = '', status, volume_id: volume, volume_name: volumeName } = query;
  const metadata = query.metadata === undefined ? [] : Object.entries(metadataFilter(query.metadata));
  return (backup) =>
    (name ?? backup.name) === backup.name &&
    backup.name.includes(part) &&
    (status ?? backup.status) === backup.status &&
    (volume ?? backup.volume) === backup.volume &&
    (volumeName ?? backup.volumeName) === backup.volumeName &&
    metadata.every(([key, value]) => metadataItem(backup.metadata ?? {}, key) === value);
}
