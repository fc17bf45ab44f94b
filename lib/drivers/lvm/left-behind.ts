import type { DeleteOptions } from '../driver.ts';
import type { LogicalVolume } from './reports.ts';
import { idInName, labelsIn, lvName, ourTag } from './tags.ts';

/**
 * Returns which logical volume has the data of a volume that is not found by its name and its label, with the command that
 * undoes what an administrator did; undefined where there is none. One without labels is somebody else's where the
 * volume was never available (`unused`).
 */
export function leftBehind(
  volumes: readonly Pick<LogicalVolume, 'name' | 'tags'>[],
  group: string,
  volume: { id: string },
  { unused = false }: Pick<DeleteOptions, 'unused'>,
): string | undefined {
  const own = lvName(volume);
  const renamed = renamedTo(volumes, group, volume);
  if (renamed !== undefined) return renamed;
  if (unused) return undefined;
  const unlabelled = volumes.find(({ name }) => name === own);
  const relabel = unlabelled && relabelCommand(unlabelled, group);
  if (relabel === undefined) return undefined;
  return (
    `its logical volume ${group}/${own} has lost the volume's label; to label it again: ${relabel}; ` +
    `if it is not this volume's: lvrename ${group} ${own} other-name`
  );
}

/** Returns the name that an administrator gave a volume's logical volume, with the command that undoes it. */
export function renamedTo(
  volumes: readonly Pick<LogicalVolume, 'name' | 'tags'>[],
  group: string,
  volume: { id: string },
): string | undefined {
  const own = lvName(volume);
  const renamed = volumes.find(({ name, tags }) => name !== own && labelsIn(tags).id === volume.id)?.name;
  if (renamed === undefined) return undefined;
  return `its logical volume was renamed to ${renamed}; to undo that: lvrename ${group} ${renamed} ${own}`;
}

/** Returns the command that labels a logical volume with the name of a volume; undefined for one that has a label, or another name. */
export function relabelCommand(
  { name, tags }: Pick<LogicalVolume, 'name' | 'tags'>,
  group: string,
): string | undefined {
  const id = idInName(name);
  if (id === undefined || labelsIn(tags).id !== undefined) return undefined;
  return `lvchange --addtag ${ourTag} --addtag ${ourTag}:id=${id} ${group}/${name}`;
}
