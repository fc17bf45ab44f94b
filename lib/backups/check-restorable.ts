import { errors } from '../errors.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Backup } from './backup.ts';

/**
 * Checks that a volume can get the data of a backup, or be made with them. Throws BackupNotReady, SizeTooSmall, EncryptionDiffers where they
 * would be encrypted with another key than the volume has.
 */
export function checkRestorable(
  { id, status, size, encryptionKey }: Backup,
  volume: Pick<VolumeState, 'size'> & Partial<Pick<VolumeState, 'id' | 'encryptionKey'>>,
): void {
  if (status !== 'available') throw errors.backupNotReady(id);
  if (volume.size < size) throw errors.sizeTooSmall(`backup ${id}`, size, volume.size);
  if (volume.id === undefined || encryptionKey === undefined || encryptionKey === volume.encryptionKey) return;
  throw errors.backupKeyDiffers(id, volume.id);
}
