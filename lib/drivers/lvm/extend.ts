import { errors } from '../../errors.ts';
import type { VolumeSpec } from '../driver.ts';
import type { Changes } from './changes.ts';
import { failureOf, lvmError } from './failures.ts';
import type { LvmAnswer } from './lvm.ts';
import type { OneLogicalVolume } from './reports.ts';

/**
 * Makes a logical volume as large as the volume, never smaller. LVM extends one with thick snapshots only while it is inactive; they
 * keep their size. `fullName`: group/name. Returns LVM's refusal, with the size as it was, where the group has no space. Throws VolumeBusy.
 */
export async function extendTo(
  changes: Changes,
  volume: VolumeSpec,
  found: OneLogicalVolume,
  fullName: string,
): Promise<LvmAnswer | undefined> {
  if (found.sizeBytes >= volume.sizeBytes) return undefined;
  const [group = ''] = fullName.split('/');
  const isThickOrigin = found.roles.includes('thickorigin');
  if (isThickOrigin) {
    const deactivated = await changes.command(['lvchange', '-an', fullName]);
    if (failureOf(deactivated) === 'busy') throw errors.originBusy(volume.id, found.dependants);
  }
  try {
    const args = ['lvextend', '-y', '-L', `${volume.sizeBytes}b`, fullName];
    const answer = await changes.command(args);
    if (answer.status === 0) return undefined;
    if (failureOf(answer) === 'noSpace') return answer;
    throw lvmError(args, answer, group);
  } finally {
    if (isThickOrigin && found.active) await changes.command(['lvchange', '-ay', '-y', '-K', fullName]);
  }
}
