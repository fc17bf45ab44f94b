import { errors } from '../../errors.ts';
import type { CreateOptions, VolumeSpec } from '../driver.ts';
import type { CopyOptions } from '../snapshots.ts';
import { readMetadata } from './catalogue.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { flatten } from './flatten.ts';
import { cloneDepth, imageInfo } from './images.ts';
import { labelArguments, labelsIn, sameLabels } from './labels.ts';
import { cloneSnapshotName, imageName, newName } from './names.ts';
import { removeNew, removeSnapshot } from './removal.ts';

/**
 * Checks and relabels an image that exists already. Returns false where there is none. Throws VolumeExists for one that is not labelled
 * as this volume or is smaller, and what `accept` throws.
 */
export async function adopt(commands: RbdCommands, volume: VolumeSpec, { accept }: CreateOptions): Promise<boolean> {
  const name = imageName(volume);
  const metadata = await readMetadata(commands, name);
  if (metadata === undefined) return false;
  const labels = labelsIn(metadata, volume.id);
  const full = `${commands.cluster.pool}/${name}`;
  if (labels === undefined) throw errors.notLabelled(volume.id, `image ${full}`, `rbd rename ${full} ${full}.other`);
  accept?.(labels);
  const info = await imageInfo(commands, name);
  if (info === undefined) return false;
  if (info.size < volume.sizeBytes) throw errors.volumeExists(volume.id, 'its storage is smaller');
  if (!sameLabels(labels, volume.labels)) await label(commands, name, labelArguments(volume));
  return true;
}

/** Makes an empty image under another name; complete() gives it its own. Throws NoSpace. */
export async function makeEmpty(commands: RbdCommands, volume: VolumeSpec, signal?: AbortSignal): Promise<void> {
  const size = ['--size', `${volume.sizeBytes}B`];
  await make(commands, volume, ['create', ...size, newName(volume)], signal);
}

/**
 * Makes a copy on write of a snapshot in the same way. Returns false where the snapshot does not exist. Clones of format 2 need no
 * protected snapshots: Ceph keeps the data of a deleted snapshot as long as a clone needs it.
 */
export async function makeClone(
  commands: RbdCommands,
  volume: VolumeSpec,
  snapshot: string,
  { maxDepth, ...options }: CopyOptions & { maxDepth: number },
): Promise<boolean> {
  const name = newName(volume);
  const destination = ['--dest-pool', commands.cluster.pool, '--dest', name];
  const args = ['clone', '--rbd-default-clone-format', '2', snapshot, ...destination];
  if (!(await make(commands, volume, args, options.signal))) return false;
  const info = await imageInfo(commands, name);
  if (info === undefined) throw errors.rbdFailed(`rbd clone ${snapshot} ${name}`, 'the copy has been removed');
  if (info.size < volume.sizeBytes) await resize(commands, volume, name);
  if ((await cloneDepth(commands, info, maxDepth)) > maxDepth) await flatten(commands, name, options);
  return true;
}

/**
 * The same of the data that another volume has at this moment. Its snapshot for it is removed at once: Ceph keeps what the copy needs of
 * it. Returns false where the source does not exist.
 */
export async function cloneOf(
  commands: RbdCommands,
  volume: VolumeSpec,
  source: VolumeSpec,
  options: CopyOptions & { maxDepth: number },
): Promise<boolean> {
  const snapshot = `${imageName(source)}@${cloneSnapshotName(volume)}`;
  const create = () => commands.rbd(['snap', 'create', '--no-progress', snapshot]);
  let made = await create();
  if (made.failure === 'exists') {
    // Of an interrupted attempt: the data of that time is not asked for.
    await removeSnapshot(commands, snapshot);
    made = await create();
  }
  if (made.failure === 'absent') return false;
  if (made.failure !== undefined) throw errors.rbdFailed(`rbd snap create ${snapshot}`, made.reason);
  try {
    return await makeClone(commands, volume, snapshot, options);
  } finally {
    await removeSnapshot(commands, snapshot);
  }
}

/** Labels the image and gives it the volume's name: an image of that name always has labels, size and data. */
export async function complete(commands: RbdCommands, volume: VolumeSpec): Promise<void> {
  await label(commands, newName(volume), labelArguments(volume));
  const answer = await commands.rbd(['rename', newName(volume), imageName(volume)]);
  if (answer.failure === 'exists') throw errors.volumeExists(volume.id);
  if (answer.failure !== undefined) throw errors.rbdFailed(`rbd rename ${newName(volume)}`, answer.reason);
}

/** Throws RbdFailed, also for an image that does not exist. */
export async function label(commands: RbdCommands, name: string, [key, value]: [string, string]): Promise<void> {
  const answer = await commands.rbd(['image-meta', 'set', name, key, value]);
  if (answer.failure !== undefined) throw errors.rbdFailed(`rbd image-meta set ${name} ${key}`, answer.reason);
}

/** Throws NoSpace, RbdFailed. */
export async function resize(commands: RbdCommands, volume: VolumeSpec, name: string): Promise<void> {
  const answer = await commands.rbd(['resize', '--no-progress', '--size', `${volume.sizeBytes}B`, name]);
  if (answer.failure === 'noSpace') throw errors.noSpace(`pool ${commands.cluster.pool}`, volume.sizeBytes, 0);
  if (answer.failure !== undefined) throw errors.rbdFailed(`rbd resize ${name}`, answer.reason);
}

/** Returns false where the source does not exist. An incomplete image of an earlier attempt is replaced. */
async function make(
  commands: RbdCommands,
  volume: VolumeSpec,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let answer = await commands.rbd(args, { signal });
  if (answer.failure === 'exists') {
    await removeNew(commands, volume);
    answer = await commands.rbd(args, { signal });
  }
  if (answer.failure === undefined) return true;
  if (answer.failure === 'absent') return false;
  if (answer.failure === 'noSpace') throw errors.noSpace(`pool ${commands.cluster.pool}`, volume.sizeBytes, 0);
  throw errors.rbdFailed(`rbd ${args[0]} ${newName(volume)}`, answer.reason);
}
