import { errors } from '../../errors.ts';
import type { VolumeSpec } from '../driver.ts';
import { failureOf, lvmError } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import type { OneLogicalVolume } from './reports.ts';

/**
 * Makes a logical volume as large as the volume, never smaller. LVM extends one with thick snapshots only while it is inactive; they
 * keep their size. Throws NoSpace, with the size as it was, VolumeBusy, and ThinPoolUnusable.
 */
export async function extendTo(
  { changes, pools, options }: Pick<Parts, 'changes' | 'pools' | 'options'>,
  volumes: LogicalVolumes,
  volume: VolumeSpec,
  found: OneLogicalVolume,
): Promise<void> {
  const moreBytes = volume.sizeBytes - found.sizeBytes;
  if (moreBytes <= 0) return;
  const fullName = volumes.fullName(found.name);
  const isThickOrigin = found.roles.includes('thickorigin');
  if (isThickOrigin) {
    const deactivated = await changes.command(['lvchange', '-an', fullName]);
    if (failureOf(deactivated) === 'busy') throw errors.originBusy(volume.id, found.dependants);
  }
  try {
    const args = ['lvextend', '-y', '-L', `${volume.sizeBytes}b`, fullName];
    const extend = () => changes.command(args);
    const answer = await (found.isThin ? pools.allocate(found.pool, moreBytes, extend) : extend());
    if (answer.status === 0) return;
    if (failureOf(answer) !== 'noSpace') throw lvmError(args, answer, options.volumeGroup);
    throw found.isThin ? pools.refused(found.pool, answer) : await volumes.noSpace(moreBytes, answer);
  } finally {
    if (isThickOrigin && found.active) await changes.command(['lvchange', '-ay', '-y', '-K', fullName]);
  }
}
