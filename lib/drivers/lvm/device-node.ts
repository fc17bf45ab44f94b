import { stat } from 'node:fs/promises';
import { errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import type { Lvm } from './lvm.ts';

export async function isBlockDevice(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isBlockDevice() ?? false;
}

/**
 * Makes the names below /dev of an active logical volume that somebody removed. A file in their place, as `dd` leaves it that wrote
 * to an inactive volume, is never exported, nor removed: it may be the only copy of that data. Throws NotActivated.
 */
export async function ensureDeviceNode(lvm: Lvm, volume: { id: string }, path: string): Promise<void> {
  const found = await statIfExists(path);
  if (found?.isBlockDevice()) return;
  if (found) throw errors.notDevice(volume.id, path);
  await lvm.command(['vgmknodes', path.replace('/dev/', '')]);
}
