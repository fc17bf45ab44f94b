import { errors } from '../../../lib/errors.ts';
import type { SnapshotSpec, Snapshots } from '../../../lib/drivers/snapshots.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Backend } from '../backends.ts';
import { snapshotSpec, volumeSpec } from '../specs.ts';
import type { Step, StepContext } from './operation.ts';

/** Throws NotCapable. */
function subject({ volume, snapshot, backend: { driver } }: StepContext): { verbs: Snapshots; spec: SnapshotSpec } {
  if (!driver.snapshots) throw errors.notCapable(volume.id, driver.name, 'snapshots');
  if (!snapshot) throw errors.snapshotNotFound(volume.snapshot);
  return { verbs: driver.snapshots, spec: snapshotSpec(volume, snapshot) };
}

export const createSnapshot: Step = {
  name: 'snapshot',
  isDone: async (context) => {
    const { verbs, spec } = subject(context);
    return verbs.hasSnapshot(spec);
  },
  run: async (context) => {
    const { volume, backend, signal, progress } = context;
    const { verbs, spec } = subject(context);
    await backend.driver.ensureVolume(volumeSpec(volume));
    await verbs.createSnapshot(spec, { signal, progress });
  },
};

/** What is left of a snapshot that was not created after all. */
export const discardSnapshot: Step = {
  name: 'discard',
  run: async (context) => {
    const { verbs, spec } = subject(context);
    await verbs.deleteSnapshot(spec, { signal: context.signal, unused: true });
  },
};

export const removeSnapshot: Step = {
  name: 'remove',
  run: async (context) => {
    const { signal, progress, checkTask } = context;
    const { verbs, spec } = subject(context);
    await checkTask();
    await verbs.deleteSnapshot(spec, { signal, progress });
  },
};

/** Those of a volume that is deleted with them; also what is left of some where that was interrupted. */
export const removeSnapshots: Step = {
  name: 'snapshots',
  run: async ({ volume, snapshots: recorded, backend, checkTask, signal }) => {
    if (!volume.deletesSnapshots) return;
    await checkTask();
    const deleted = new Set(await deleteSnapshots(backend, volume, signal));
    for (const one of recorded.filter(({ id }) => !deleted.has(id))) {
      await backend.driver.snapshots?.deleteSnapshot(snapshotSpec(volume, one), { signal });
    }
  },
};

/** Deletes all snapshots of a volume that the storage has, the latest first: earlier ones may be below it. Returns their ids. */
export async function deleteSnapshots(
  { driver }: Backend,
  volume: VolumeState,
  signal: AbortSignal,
): Promise<string[]> {
  const { snapshots } = driver;
  if (!snapshots) return [];
  const all = (await snapshots.listSnapshots()).filter(({ volumeId }) => volumeId === volume.id);
  const latestFirst = all.toSorted((one, other) => Number(other.labels['created']) - Number(one.labels['created']));
  for (const { id, labels } of latestFirst) {
    await snapshots.deleteSnapshot({ id, volume: volumeSpec(volume), labels }, { signal });
  }
  return latestFirst.map(({ id }) => id);
}
