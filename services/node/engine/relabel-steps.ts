import { asError, errors } from '../../../lib/errors.ts';
import { snapshotSpec, volumeSpec } from '../specs.ts';
import type { Step } from './operation.ts';

/** The labels of the storage say who owns the volume, and the snapshots that have the same owner. */
export const labelOwner: Step = {
  name: 'label',
  run: async ({ volume, snapshots, backend: { driver }, signal, progress }) => {
    await driver.labelVolume(volumeSpec(volume));
    const own = snapshots.filter(({ projectId }) => projectId === volume.projectId);
    if (own.length > 0 && !driver.snapshots) throw errors.notCapable(volume.id, driver.name, 'snapshots');
    for (const [index, snapshot] of own.entries()) {
      signal.throwIfAborted();
      progress(Math.floor((100 * index) / own.length));
      try {
        await driver.snapshots?.labelSnapshot(snapshotSpec(volume, snapshot));
      } catch (error) {
        if (asError(error).code !== 'SnapshotMissing') throw error; // that is nothing of the transfer: the audit reports it
      }
    }
  },
};

/** Of a snapshot that has another name. Where its storage is gone the audit reports it. */
export const labelSnapshot: Step = {
  name: 'snapshot',
  run: async ({ volume, snapshot, backend: { driver } }) => {
    if (!snapshot) return;
    try {
      await driver.snapshots?.labelSnapshot(snapshotSpec(volume, snapshot));
    } catch (error) {
      if (asError(error).code !== 'SnapshotMissing') throw error;
    }
  },
};
