import { topicOf } from '../../lib/client/message.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { backendId } from '../../lib/models/backend.ts';
import type { MigrationState } from '../../lib/models/migration-state.ts';
import { editOf, endedWith, isAllowed } from '../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import { type LeaseToken, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { fieldsAfter } from './new-place.ts';
import { copyLabel, movedLabel } from './specs.ts';
import { supersededEdit } from './superseded.ts';

/** Whether the destination of a migration has all data of a volume whose node was lost, and nobody can have written there since. */
export function isCompleteHere(
  volume: VolumeState,
  migration: MigrationState,
  found: FoundVolume | undefined,
): boolean {
  const { labels } = found ?? {};
  if (!labels || !migration.isComplete || volume.fault?.code !== 'NodeLost') return false;
  if (labels['created'] !== String(volume.createTime) || !isAllowed('leaveAgain', volume)) return false;
  // Without the label it is the volume already, which Redis has lost.
  const source = labels[copyLabel] ?? backendId(volume.node, volume.backend);
  return labels[movedLabel] === undefined && source === backendId(volume.node, volume.backend);
}

/**
 * The volume is this node's, unless its own has returned: that decides then what becomes of it. The task that completes a migration does
 * the rest. Returns whether it is so. Throws Fenced.
 */
export async function takeComplete(
  { store, owner, topic }: { store: Store; owner: LeaseToken; topic: string },
  volume: VolumeState,
  migration: MigrationState,
): Promise<boolean> {
  const { id, node, backend, key } = migration;
  const { set, unset } = fieldsAfter(volume, migration);
  const expect = { key, isCancelled: '', leaving: 'true', complete: 'true' };
  const outcome = await commit(store, {
    owner,
    conditions: [{ is: 'lost', node: volume.node }],
    edits: [
      editOf(volume, 'leaveAgain', { set, unset, task: { copied: await redisTime(store) } }),
      { kind: 'migration', id, remove: true, expect },
      ...endedWith({ ...volume, migration: '' }, 'leaveAgain'),
      supersededEdit(volume, { id: backendId(node, backend) }),
    ],
    commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ volume: volume.id }) }],
    frees: true,
  });
  if (outcome.word === 'Fenced') throw errors.fenced(owner.node);
  return outcome.word === 'ok';
}
