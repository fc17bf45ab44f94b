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
  const { id: existing } = volume;
  if (volume.size < size) {
    throw existing === undefined
      ? errors.sizeTooSmall(`backup ${id}`, size, volume.size)
      : errors.volumeTooSmall(`backup ${id}`, size, existing, volume.size);
  }
  if (existing === undefined) return;
  const key = volume.encryptionKey ?? '';
  // Older backups of encrypted volumes do not name their key, which is that of the volume.
  if ((encryptionKey ?? (of === existing ? key : '')) === key) return;
  if (encryptionKey === undefined) throw errors.encryptedVolume(existing, `the data of backup ${id} are not`);
  throw errors.backupKeyDiffers(id, existing);
}
