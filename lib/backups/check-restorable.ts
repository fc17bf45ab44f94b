import { errors } from '../errors.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Backup } from './backup.ts';

/**
 * Checks that a volume can get the data of a backup, or be made with them. Throws BackupNotReady, SizeTooSmall, EncryptionDiffers where they
 * would be encrypted with another key than the volume has, VolumeEncrypted where they would not be.
 */
export function checkRestorable(
  { id, status, size, volume: of, encryptionKey }: Backup,
  volume: Pick<VolumeState, 'size'> & Partial<Pick<VolumeState, 'id' | 'encryptionKey'>>,
): void {
  if (status !== 'available') throw errors.backupNotReady(id);
  if (volume.size < size) throw errors.sizeTooSmall(`backup ${id}`, size, volume.size);
  if (volume.id === undefined) return;
  const key = volume.encryptionKey ?? '';
  // Older backups of encrypted volumes do not name their key, which is that of the volume.
  if ((encryptionKey ?? (of === volume.id ? key : '')) === key) return;
  if (encryptionKey === undefined) throw errors.encryptedVolume(volume.id, `the data of backup ${id} are not`);
  throw errors.backupKeyDiffers(id, volume.id);
}
