import { type BlockstoreError, asError } from '../errors.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Backup } from './backup.ts';
import type { BackupStore } from './store.ts';

type Given = Pick<Backup, 'id' | 'name' | 'parent'> &
  Partial<Pick<Backup, 'userId' | 'projectId' | 'description' | 'metadata' | 'snapshot' | 'dataTime'>>;

/** Returns what a backup of a volume says of itself before it has data; `size`: what the volume has, or had at the snapshot. */
export function newBackup(
  { id: volume, name: volumeName, userId, projectId, size, encryptionKey }: VolumeState,
  given: Given,
): Backup {
  return {
    userId,
    projectId,
    ...given,
    ...(encryptionKey === '' ? {} : { encryptionKey }),
    status: 'creating',
    volume,
    volumeName,
    size,
    createTime: Date.now(),
    checksum: null,
    storedBytes: 0,
  };
}

/** Marks a backup that gets no data, where it has none; what an interrupted run has stored of it goes. */
export async function failBackup(store: BackupStore, id: string, reason: BlockstoreError): Promise<void> {
  const backup = await store.show(id).catch(absent);
  if (backup?.status !== 'creating') return;
  // First: where they have filled the directory, there is no space for another description.
  const writer = await store.write(id, new AbortController().signal).catch(() => undefined); // removed with it
  await writer?.[Symbol.asyncDispose]();
  await store.describe({ ...backup, status: 'error', failure: reason.toFault() });
}

function absent(error: unknown): undefined {
  if (asError(error).code !== 'BackupNotFound') throw error;
}
