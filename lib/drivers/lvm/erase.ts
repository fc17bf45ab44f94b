import { usersOf } from '../../devices/users.ts';
import type { BlockstoreError } from '../../errors.ts';
import type { DeleteOptions } from '../driver.ts';
import { failureOf, lvmError } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import type { OneLogicalVolume } from './reports.ts';
import { externalOrigin } from './obstacles.ts';
import { isDeviceBusy, wipe, wipeSignatures } from './wipe.ts';

/** Wipes a device as configured. Throws what `busy` makes of its users. */
export async function wipeDevice(
  { processes, options: { volumeClear: clear, volumeClearMiBps: miBps } }: Parts,
  device: string,
  sizeBytes: number,
  options: DeleteOptions,
  busy: (by: string) => BlockstoreError,
): Promise<void> {
  const wiping =
    clear === 'none'
      ? wipeSignatures(processes, device, sizeBytes, options.signal)
      : wipe(processes, device, sizeBytes, { ...options, clear, miBps });
  await wiping.catch(async (error) => {
    if (isDeviceBusy(error)) throw busy(await usersOf(device));
    throw error;
  });
}

/**
 * Wipes and removes an LV of ours that is no volume: a snapshot, or the start of a copy. The area that a thick snapshot kept its
 * volume's former data in is made an LV of its own first, which has the snapshot's name. A thin one is not wiped: its pool zeroes what
 * another one gets. Can be repeated. Throws what `busy` makes of its users, GroupIncomplete, ThinPoolUnusable.
 */
export async function erase(
  parts: Parts,
  volumes: LogicalVolumes,
  found: OneLogicalVolume,
  busy: (by: string) => BlockstoreError,
  options: DeleteOptions = {},
): Promise<void> {
  const { changes } = parts;
  const group = parts.options.volumeGroup;
  const fullName = volumes.fullName(found.name);
  const device = volumes.devicePath(found.name);
  const change = async (args: readonly string[]) => {
    const answer = await changes.command(args);
    if (answer.status === 0) return;
    if (failureOf(answer) === 'busy') throw busy(await usersOf(device));
    throw lvmError(args, answer, group);
  };
  if (found.open) throw busy(await usersOf(device));
  if (found.dependants.length > 0) throw busy(`LVM snapshots of it exist: ${found.dependants.join(', ')}`);
  if (found.missingDisks > 0) throw await volumes.stillIncomplete();
  if (found.isThickSnapshot) await change(['lvconvert', '-y', '--splitsnapshot', fullName]);
  const now = found.isThickSnapshot ? await volumes.named(found.name) : found;
  if (!now) return;
  if (now.isThin) {
    const outside = await volumes.externalOrigin(now);
    if (outside !== undefined) throw busy(externalOrigin(outside, fullName));
    await parts.pools.refuseLeaks(now);
  } else {
    await volumes.activeDevice(found.name, found.name, now);
    await wipeDevice(parts, device, now.sizeBytes, options, busy);
  }
  await change(['lvremove', '-y', fullName]);
}
