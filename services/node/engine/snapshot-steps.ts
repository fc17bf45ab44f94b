import { errors } from '../../../lib/errors.ts';
import type { SnapshotSpec, Snapshots } from '../../../lib/drivers/snapshots.ts';
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
