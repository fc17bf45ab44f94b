import { errors } from '../errors.ts';
import { type RestoreSource, writeSource } from '../models/restore-source.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import type { SnapshotState } from '../models/snapshot-state.ts';
import type { VolumeState } from '../models/volume-state.ts';
import type { Edit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { copiesOf } from './cascade.ts';
import { requireImages } from './copy-out.ts';
import type { StartRequest, TaskPlan } from './start-task.ts';

/**
 * Returns how a volume begins to get other data in place of its own. Its node checks the source once more before it writes. With
 * `mayBeReserved` also a volume that is kept for an attachment, and stays so. The plan throws NotCapable, SnapshotNotFound, SnapshotNotLatest,
 * SizeDiffers, WrongStatus of the snapshot, VolumeEncrypted.
 */
export function restoreRequest(
  store: Store,
  source: RestoreSource,
  { mayBeReserved = false }: { mayBeReserved?: boolean } = {},
): Pick<StartRequest, 'transition' | 'kind' | 'plan' | 'refused' | 'whenLost'> {
  const transition = mayBeReserved ? 'startRestoreReserved' : 'startRestore';
  let volumeId = '';
  const plan = async (volume: VolumeState): Promise<TaskPlan> => {
    volumeId = volume.id;
    await requireImages(store, volume);
    return {
      transition,
      set: { restoreFrom: writeSource(source) },
      edits: await checkSource(store, source, volume),
      expect: {},
      conditions: [{ is: 'empty', key: `volume:${volume.id}:copies` }],
      isUnderWay: volume.restoreFrom !== undefined && writeSource(volume.restoreFrom) === writeSource(source),
    };
  };
  return {
    transition,
    kind: 'restore',
    plan,
    refused: (outcome) => ('edit' in outcome ? errors.snapshotsChange(volumeId) : copiesOf(store, volumeId)),
    whenLost: 'refuse',
  };
}

/** Returns what must still hold of the source when the task begins. */
async function checkSource(store: Store, { kind, id }: RestoreSource, volume: VolumeState): Promise<Edit[]> {
  if (kind === 'image' && volume.encryptionKey !== '') {
    throw errors.encryptedVolume(volume.id, 'the data of an image are not');
  }
  if (kind !== 'snapshot') return [];
  const { status } = await revertible(store, id, volume);
  return [{ kind: 'snapshot', id, expect: { status } }];
}

async function revertible(store: Store, id: string, volume: VolumeState): Promise<SnapshotState> {
  const snapshot = await snapshotsOf(store).lookup(id);
  const [latest] = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(volume.id), '-1', '-1'));
  if (latest !== id) throw errors.snapshotNotLatest(id, volume.id, latest);
  if (snapshot.size !== volume.size) throw errors.sizeDiffers(volume.id, volume.size, id, snapshot.size);
  if (snapshot.status !== 'available') throw errors.snapshotNotReady(id, snapshot.status);
  return snapshot;
}
