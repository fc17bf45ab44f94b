import { pollUntil } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { DeleteOptions, VolumeSpec } from '../driver.ts';
import type { RbdAnswer, RbdCommandOptions, RbdCommands } from '../../rbd/commands.ts';
import { watchersOf } from '../../rbd/clients.ts';
import { listImages, snapshotsOf } from './images.ts';
import { cloneSnapshotName, deletedName, imageName, isCloneSnapshot, newName } from './names.ts';

/** Ceph removes the watch of a client that died after 30 s. */
const watcherMs = 40_000;
const wait = { intervalMs: 500, maxIntervalMs: 2000 };

/** Removes an incomplete image of an interrupted create. */
export async function removeNew(commands: RbdCommands, volume: VolumeSpec): Promise<void> {
  const answer = await remove(commands, newName(volume), {});
  if (answer.failure === undefined || answer.failure === 'absent') return;
  throw errors.rbdFailed(`rbd rm ${newName(volume)}`, answer.reason);
}

/**
 * Removes the image of a volume; absent is success. One that copies depend on is renamed, and removed by Leftovers after the last of
 * them: `kept`. Throws VolumeBusy for one that has snapshots, or that a client has open and does not close within `waitMs`.
 */
export async function removeImage(
  commands: RbdCommands,
  volume: VolumeSpec,
  { signal, waitMs = watcherMs }: DeleteOptions & { waitMs?: number | undefined },
): Promise<'removed' | 'kept'> {
  const name = imageName(volume);
  let obstacle = '';
  const attempt = async (): Promise<'removed' | 'kept' | undefined> => {
    const answer = await remove(commands, name, { signal });
    if (answer.failure === undefined || answer.failure === 'absent') return 'removed';
    if (answer.failure === 'dependants') {
      const snapshots = await snapshotsOf(commands, name);
      if (snapshots === undefined) return 'removed';
      const others = snapshots.filter((one) => !isCloneSnapshot(one.name)).map((one) => one.name);
      if (others.length > 0) throw errors.volumeBusy(volume.id, `it has snapshots: ${others.join(', ')}`);
      for (const one of snapshots) await removeSnapshot(commands, `${name}@${one.name}`);
      if (snapshots.length > 0) return undefined;
    } else if (answer.failure !== 'busy') throw errors.rbdFailed(`rbd rm ${name}`, answer.reason);
    const watchers = await watchersOf(commands, name);
    if (watchers.length === 0 && answer.failure === 'dependants') return setAside(commands, volume);
    obstacle = watchers.length > 0 ? openBy(watchers) : answer.reason;
    return undefined;
  };
  const outcome = await pollUntil(attempt, { ...wait, deadlineMs: waitMs, signal });
  if (outcome === undefined) throw errors.volumeBusy(volume.id, obstacle);
  return outcome;
}

/** Waits until no client has a volume open. Throws VolumeBusy for one that does not close it within `waitMs`, or the signal's reason. */
export async function whenClosed(
  commands: RbdCommands,
  volume: VolumeSpec,
  { signal, waitMs = watcherMs }: { signal: AbortSignal | undefined; waitMs?: number | undefined },
): Promise<void> {
  let clients: string[] = [];
  const isClosed = async () => {
    clients = await watchersOf(commands, imageName(volume));
    return clients.length === 0;
  };
  if (!(await pollUntil(isClosed, { ...wait, deadlineMs: waitMs, signal })))
    throw errors.volumeBusy(volume.id, openBy(clients));
}

function openBy(clients: readonly string[]): string {
  return `open by the client at ${clients.join(', ')}`;
}

/** Removes a snapshot; absent is success. Throws RbdFailed. */
export async function removeSnapshot(commands: RbdCommands, snapshot: string): Promise<void> {
  const answer = await commands.rbd(['snap', 'rm', '--no-progress', snapshot]);
  if (answer.failure === undefined || answer.failure === 'absent') return;
  throw errors.rbdFailed(`rbd snap rm ${snapshot}`, answer.reason);
}

/** Removes the snapshot that an interrupted clone left on its source: it would keep what the source overwrites. */
export async function removeCloneSnapshot(commands: RbdCommands, volume: VolumeSpec): Promise<void> {
  const name = cloneSnapshotName(volume);
  const sources = (await listImages(commands)).filter(({ snapshots }) => snapshots.some((one) => one.name === name));
  for (const source of sources) await removeSnapshot(commands, `${source.name}@${name}`);
}

async function setAside(commands: RbdCommands, volume: VolumeSpec): Promise<'kept'> {
  const answer = await commands.rbd(['rename', imageName(volume), deletedName(volume)]);
  if (answer.failure === undefined || answer.failure === 'absent') return 'kept';
  throw errors.rbdFailed(`rbd rename ${imageName(volume)} ${deletedName(volume)}`, answer.reason);
}

export function remove(
  commands: RbdCommands,
  name: string,
  { signal }: Pick<RbdCommandOptions, 'signal'>,
): Promise<RbdAnswer> {
  return commands.rbd(['rm', '--no-progress', name], { signal, isLong: true });
}
