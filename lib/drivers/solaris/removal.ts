import { errors } from '../../errors.ts';
import { SanCommandError } from '../../san/shell.ts';
import type { VolumeSpec } from '../driver.ts';
import { type Datasets, uuid } from './datasets.ts';
import { unless, zfsFailure } from './failures.ts';
import type { Zvols } from './zvols.ts';

const internalName = new RegExp(`^clone-${uuid}$`);

/** The name of the snapshot that a volume is cloned by. It is deleted at once, and goes with the last clone. */
export function internalSnapshotOf({ id }: Pick<VolumeSpec, 'id'>): string {
  return `clone-${id}`;
}

/**
 * Removes a volume. A volume that others are clones of is removed as well: ZFS swaps the two (promote), so that the volume depends
 * on its clone. Throws VolumeBusy.
 */
export async function removeVolume(zvols: Zvols, volume: VolumeSpec, signal?: AbortSignal): Promise<void> {
  for (let found = await zvols.datasets.fresh(); ; found = await zvols.datasets.fresh()) {
    await removeInternal(zvols, volume, found);
    const zvol = found.volumes.find(({ id }) => id === volume.id);
    if (!zvol) return;
    if (!zvol.labelled) throw errors.volumeBusy(volume.id, `${zvol.name} exists and is not labelled as this volume`);
    const clone = cloneOf(found, zvol.name);
    refuseWithSnapshots(found, volume, zvol.name);
    if (clone === undefined) break;
    signal?.throwIfAborted();
    await zvols.change(volume, ['zfs', 'promote', clone]);
  }
  try {
    await unless('absent', zvols.change(volume, ['zfs', 'destroy', zvols.nameOf(volume)], signal));
  } catch (error) {
    if (zfsFailure(error) !== 'busy' || !(error instanceof SanCommandError)) throw error;
    throw errors.volumeBusy(volume.id, error.words.trim());
  }
}

/** What a clone that did not complete has left. */
async function removeInternal(zvols: Zvols, volume: VolumeSpec, { snapshots }: Datasets): Promise<void> {
  const left = snapshots.filter(({ name, isDeferred }) => name === internalSnapshotOf(volume) && !isDeferred);
  for (const { fullName } of left) await unless('absent', zvols.change(volume, ['zfs', 'destroy', '-d', fullName]));
}

/** Snapshots that somebody may still want: of the user, or of a program of the storage. */
function refuseWithSnapshots({ snapshots }: Datasets, volume: VolumeSpec, name: string): void {
  const kept = snapshots.filter((one) => one.zvol === name && !one.isDeferred && !internalName.test(one.name));
  if (kept.length === 0) return;
  throw errors.volumeBusy(volume.id, `it has snapshots: ${kept.map(({ fullName }) => fullName).join(', ')}`);
}

/** Returns a clone of the newest snapshot that has one: with its promotion it takes over that snapshot and the older ones. */
function cloneOf({ snapshots, volumes }: Datasets, name: string): string | undefined {
  const own = snapshots.filter((one) => one.zvol === name).toReversed();
  for (const { fullName } of own) {
    const clone = volumes.find(({ origin }) => origin === fullName);
    if (clone) return clone.name;
  }
  return undefined;
}
