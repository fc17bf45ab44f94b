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
    await context.checkLease();
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
  run: async ({ volume, snapshots, backend, checkTask, signal }) => {
    if (!volume.deletesSnapshots && volume.leftSnapshots.length === 0) return;
    await checkTask();
    const recorded = volume.deletesSnapshots ? snapshots.map((one) => snapshotSpec(volume, one)) : [];
    await deleteSnapshots(backend, volume, { recorded, signal });
  },
};

/**
 * Deletes what the storage has of the snapshots that go with a volume, the latest first: earlier ones may be below it. Then what no list of
 * the storage names, as it is half made.
 */
export async function deleteSnapshots(
  { driver: { snapshots } }: Backend,
  volume: VolumeState,
  { recorded = [], signal }: { recorded?: readonly SnapshotSpec[]; signal: AbortSignal },
): Promise<void> {
  if (!snapshots) return;
  const found = (await snapshots.listSnapshots()).filter(
    ({ id, volumeId }) => volumeId === volume.id && (volume.deletesSnapshots || volume.leftSnapshots.includes(id)),
  );
  const latestFirst = found.toSorted((one, other) => Number(other.labels['created']) - Number(one.labels['created']));
  const spec = volumeSpec(volume);
  const listed = latestFirst.map(({ id, labels }) => ({ id, volume: spec, labels }));
  const left = volume.leftSnapshots.map((id) => ({ id, volume: spec, labels: {} }));
  const byId = new Map<string, SnapshotSpec>();
  for (const one of [...listed, ...recorded, ...left]) if (!byId.has(one.id)) byId.set(one.id, one);
  for (const one of byId.values()) await snapshots.deleteSnapshot(one, { signal });
}
