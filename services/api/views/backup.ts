import { z } from 'zod';
import type { Backup } from '../../../lib/backups/backup.ts';
import { type Caller, hasRole } from '../caller.ts';
import type { Context } from '../call.ts';
import { links, since, time } from '../schemas.ts';
import { faultText } from './fault.ts';
import { apiTime } from './time.ts';

function backupLinks({ base }: Pick<Context, 'base'>, id: string): z.input<typeof links> {
  return [
    { rel: 'self', href: `${base}/backups/${id}` },
    { rel: 'bookmark', href: `${base.replace('/v3', '')}/backups/${id}` },
  ];
}

const text = z.string().nullable();
const summary = { id: z.string(), name: text, links };
const forAdministrators = 'Shown to administrators alone';

export const backupSummaryDocument = z
  .strictObject(summary)
  .meta({ id: 'BackupSummary', description: 'A backup in lists without details' });

export const backupDocument = z
  .strictObject({
    ...summary,
    status: z.enum(['creating', 'available', 'error']),
    size: z.int().min(0).describe('GiB of the volume; 0: 100 MiB'),
    object_count: z.literal(0),
    availability_zone: z.null(),
    container: text.describe(`The place of the backups. ${forAdministrators}`),
    created_at: time,
    updated_at: z.null(),
    description: text,
    fail_reason: text,
    volume_id: z.string(),
    is_incremental: z.boolean(),
    has_dependent_backups: z.boolean(),
    snapshot_id: text,
    data_timestamp: time,
    'os-backup-project-attr:project_id': since(18, z.string()),
    metadata: since(43, z.record(z.string(), z.string())),
    user_id: since(56, z.string()),
    encryption_key_id: since(64, text),
  })
  .meta({ id: 'Backup', description: 'A backup of a volume' });

/** The short form of lists. */
export function backupSummaryView(
  { id, name }: Backup,
  context: Pick<Context, 'base'>,
): z.input<typeof backupSummaryDocument> {
  return { id, name: name || null, links: backupLinks(context, id) };
}

/** Returns the ids of backups that later ones need. */
export function neededBackups(all: readonly Backup[]): ReadonlySet<string> {
  return new Set(all.flatMap(({ parent }) => parent ?? []));
}

/** The document of one backup, as currentBackups() returns it. */
export function backupView(
  backup: Backup,
  needed: ReadonlySet<string>,
  context: Pick<Context, 'base' | 'version' | 'caller' | 'flags'>,
): z.input<typeof backupDocument> {
  const { id, createTime, dataTime = createTime, parent, snapshot, encryptionKey } = backup;
  const { version, caller, flags } = context;
  return {
    ...backupSummaryView(backup, context),
    status: backup.status,
    size: backup.size,
    object_count: 0,
    availability_zone: null,
    container: hasRole(caller, 'admin') ? flags.backup_s3_url || flags.backup_directory : null,
    created_at: apiTime(createTime),
    updated_at: null,
    description: backup.description || null,
    fail_reason: failReason(backup, caller),
    volume_id: backup.volume,
    is_incremental: parent !== null,
    has_dependent_backups: needed.has(id),
    snapshot_id: snapshot ?? null,
    data_timestamp: apiTime(dataTime),
    ...(version >= 18 ? { 'os-backup-project-attr:project_id': backup.projectId } : {}),
    ...(version >= 43 ? { metadata: backup.metadata ?? {} } : {}),
    ...(version >= 56 ? { user_id: backup.userId } : {}),
    ...(version >= 64 ? { encryption_key_id: encryptionKey ?? null } : {}),
  };
}

function failReason({ status, failure }: Backup, caller: Caller): string | null {
  if (failure) return faultText(failure, caller);
  return status === 'error' ? 'it was interrupted before it had data' : null;
}
