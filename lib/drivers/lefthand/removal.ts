import { errors } from '../../errors.ts';
import type { Description } from '../../san/lefthand/descriptions.ts';
import { writeDescription } from '../../san/lefthand/descriptions.ts';
import type { LefthandStorage, LefthandVolume } from '../../san/lefthand/volumes.ts';
import type { VolumeSpec } from '../driver.ts';
import { type LefthandVolumes, isPresent, nameOf } from './storage.ts';

/**
 * LeftHand keeps a snapshot that volumes are made from, and its volume, until those are gone. They are marked as deleted, no longer
 * listed, and removed with the last one. Throws VolumeBusy, or the signal's reason.
 */
export async function removeVolume(volumes: LefthandVolumes, volume: VolumeSpec, signal?: AbortSignal): Promise<void> {
  const found = await volumes.storage.fresh();
  const own = found.volumes.find(({ name }) => name === nameOf(volume.id));
  if (own && !own.described) {
    throw errors.volumeBusy(volume.id, `${own.name} exists and is not labelled as a volume of this node`);
  }
  if (isPresent(own)) {
    const snapshots = found.snapshots.filter(({ of }) => of === own.name);
    const kept = snapshots.filter((one) => isPresent(one) && !isInternal(one.name));
    const foreign = snapshots.filter(({ described }) => !described);
    const inTheWay = [...kept, ...foreign].map(({ name }) => name);
    if (inTheWay.length > 0) throw errors.volumeBusy(volume.id, `it has snapshots: ${inTheWay.join(', ')}`);
    if (own.permissions.length > 0) {
      throw errors.volumeBusy(volume.id, `it is assigned to ${own.permissions.map(({ group }) => group).join(', ')}`);
    }
    if (snapshots.length === 0) await volumes.change('deleteVolume', { volumeName: own.name, prompt: 'false' }, signal);
    else await volumes.change('modifyVolume', { volumeName: own.name, description: marked(own.described) }, signal);
  }
  await collect(volumes, signal);
}

/** Removes what is marked as deleted and is needed by no volume any more, and snapshots of clones that are complete or gone. */
export function collect(volumes: LefthandVolumes, signal?: AbortSignal): Promise<void> {
  return volumes.collecting.run(() => collectAll(volumes, signal), signal);
}

async function collectAll(volumes: LefthandVolumes, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const found = await volumes.storage.fresh();
    const snapshot = found.snapshots.find(
      (one) => isCollectable(one.name, one.described) && !volumes.inUse.has(one.name) && !isNeeded(found, one.name),
    );
    if (snapshot) {
      await volumes.change('deleteSnapshot', { snapshotName: snapshot.name, prompt: 'false' }, signal);
      continue;
    }
    const volume = found.volumes.find(
      (one) => one.described?.isDeleted && !found.snapshots.some(({ of }) => of === one.name),
    );
    if (!volume) return;
    await volumes.change('deleteVolume', { volumeName: volume.name, prompt: 'false' }, signal);
  }
}

function isCollectable(name: string, described: Description | undefined): boolean {
  return described?.isDeleted === true || (described !== undefined && isInternal(name));
}

/** Also by a clone that has not been made yet: a crash leaves one to the next collection. */
export function isNeeded({ volumes }: LefthandStorage, snapshot: string): boolean {
  return volumes.some(({ described }: LefthandVolume) => described?.origin === snapshot);
}

function isInternal(name: string): boolean {
  return name.startsWith('clone-');
}

export function marked(described: Description): string {
  return writeDescription({ ...described, isDeleted: true });
}
