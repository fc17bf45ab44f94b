import { randomUUID } from 'node:crypto';
import type { Backup } from '../../../lib/backups/backup.ts';

/** Returns what a backup without data says of itself. */
export function backupOf(fields: Partial<Backup> = {}): Backup {
  const own = { name: 'night', volume: randomUUID(), volumeName: '', userId: 'user', projectId: 'p', size: 0 };
  const none = { parent: null, checksum: null, storedBytes: 0, createTime: 1, status: 'available' } as const;
  return { id: randomUUID(), ...own, ...none, ...fields };
}
