import type { Backup } from '../../lib/backups/backup.ts';
import { byteSize } from '../../lib/format-bytes.ts';
import { duration, isoTime, timeAgo, volumeSize } from '../format.ts';
import type { Column } from '../table.ts';

/** Returns a backup in the form of --json: all fields are present, null when unset. */
export function backupJson({ createTime, dataTime, volumeName, ...rest }: Backup): object {
  const { failure = null, description = null, metadata = {}, snapshot = null, encryptionKey = null } = rest;
  return {
    ...rest,
    failure,
    description,
    metadata,
    snapshot,
    encryptionKey,
    volumeName: volumeName || null,
    createTime: isoTime(createTime),
    dataTime: isoTime(dataTime ?? createTime),
  };
}

export const backupColumns: readonly Column<Backup>[] = [
  { title: 'ID', text: (backup) => backup.id },
  { title: 'NAME', text: (backup) => backup.name, maxWidth: 32 },
  { title: 'VOLUME', text: (backup) => backup.volumeName || backup.volume, maxWidth: 36 },
  { title: 'SIZE', text: (backup) => volumeSize(backup.size), right: true },
  { title: 'STORED', text: (backup) => byteSize(backup.storedBytes), right: true },
  { title: 'SINCE', text: (backup) => backup.parent ?? '' },
  { title: 'STATUS', text: (backup) => backup.status },
  { title: 'AGE', text: (backup) => duration(Date.now() - backup.createTime), right: true },
];

export function backupFacts(backup: Backup): [string, string][] {
  return [
    ['id', backup.id],
    ['name', backup.name],
    ['status', backup.status],
    ['failure', backup.failure?.message ?? ''],
    ['description', backup.description ?? ''],
    ['volume', backup.volume],
    ['name of the volume', backup.volumeName],
    ['snapshot', backup.snapshot ?? ''],
    ['size', volumeSize(backup.size)],
    ['stored', byteSize(backup.storedBytes)],
    ['changes since', backup.parent ?? ''],
    ['checksum', backup.checksum ?? ''],
    ['user', backup.userId],
    ['project', backup.projectId],
    ['created', timeAgo(backup.createTime)],
  ];
}
