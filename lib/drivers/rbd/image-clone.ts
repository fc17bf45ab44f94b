import { errors } from '../../errors.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { readMonitors } from '../../rbd/monitors.ts';
import type { VolumeSpec } from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import { unlessClosed } from './closed-pools.ts';
import { makeClone } from './creation.ts';
import { type ImageInfo, imageInfo } from './images.ts';
import type { ImageLocation } from './location.ts';
import { removeNew } from './removal.ts';

/**
 * Makes the copy on write of makeClone() from a snapshot that can be in another pool. Returns false where that is not possible: in
 * another cluster, not there, not readable for the user, or without the feature for copies. Throws InvalidArgument for a snapshot that
 * is larger than the volume, and what makeClone() throws.
 */
export async function cloneOfImage(
  commands: RbdCommands,
  volume: VolumeSpec,
  { fsid, pool, image, snapshot }: ImageLocation,
  options: CopyOptions & { maxDepth: number },
): Promise<boolean> {
  if ((await readMonitors(commands)).fsid !== fsid.toLowerCase()) return false;
  const name = `${image}@${snapshot}`;
  const info = await unlessClosed(() => imageInfo(commands.inPool(pool), name));
  if (info === undefined || !canBeCloned(info)) return false;
  if (info.size > volume.sizeBytes) {
    const size = `at least ${Math.ceil(info.size / 2 ** 30)} GiB, the size of the image ${pool}/${image}`;
    throw errors.invalidArgument('size', volume.size, size);
  }
  if (await unlessClosed(() => makeClone(commands, volume, `${pool}/${name}`, options))) return true;
  await removeNew(commands, volume);
  return false;
}

function canBeCloned({ features }: ImageInfo): boolean {
  return features.includes('layering');
}
