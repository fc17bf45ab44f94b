import { restoreVolume } from '../../../lib/backups/restore-volume.ts';
import { overwrite } from '../../../lib/devices/overwrite.ts';
import type { Storage } from '../../../lib/devices/storage-streams.ts';
import { closing } from '../../../lib/drivers/open-data.ts';
import { errors } from '../../../lib/errors.ts';
import { fillFromImage } from '../../../lib/images/fill.ts';
import type { RestoreSource } from '../../../lib/models/restore-source.ts';
import { snapshotSpec, volumeSpec } from '../specs.ts';
import type { StepContext } from './operation.ts';

/** Gives storage the data of a source. Calls `begin` once everything is checked, before the first byte. */
type Fill = (context: StepContext, id: string, storage: Storage, begin: () => Promise<void>) => Promise<void>;

const fills: Readonly<Record<RestoreSource['kind'], Fill>> = {
  backup: async (context, id, storage, begin) => {
    const { volume, backups, signal, progress } = context;
    const { status, size: least } = await backups.store.show(id);
    if (status !== 'available') throw errors.backupNotReady(id);
    if (volume.size < least) throw errors.volumeTooSmall(`backup ${id}`, least, volume.id, volume.size);
    await refuseOverflow(context);
    await begin();
    await restoreVolume(backups.processes, backups.store, id, { ...storage, isBlank: false }, { signal, progress });
  },

  /**
   * Of the latest snapshot: a block in which the volume differs from it was written since, so that earlier snapshots have theirs already.
   * What is equal is not written, and no snapshot needs room for it.
   */
  snapshot: async (context, id, storage, begin) => {
    const { volume, snapshots, backend, backups, signal, progress } = context;
    const { driver } = backend;
    const snapshot = snapshots.find((one) => one.id === id);
    if (!snapshot) throw errors.snapshotNotFound(id);
    const latest = snapshots.at(-1);
    if (latest?.id !== id) throw errors.snapshotNotLatest(id, volume.id, latest?.id);
    if (snapshot.size !== volume.size) throw errors.sizeDiffers(volume.id, volume.size, id, snapshot.size);
    const open = driver.snapshots?.openSnapshot?.bind(driver.snapshots);
    if (!open) throw errors.notCapable(volume.id, driver.name, 'images');
    const spec = snapshotSpec(volume, snapshot);
    const copied = (bytes: number) => progress(Math.floor((100 * bytes) / storage.sizeBytes));
    const isEqual = await closing(await open(spec), async (path) => {
      await begin();
      return overwrite(backups.processes, { ...storage, path }, storage, { signal, progress: copied });
    });
    await (await open(spec, { signal })).close(); // it has not become unusable meanwhile
    if (!isEqual) throw errors.revertDiffers(volume.id, id);
  },

  image: async (context, id, storage, begin) => {
    const { images, signal, progress } = context;
    await refuseOverflow(context);
    await fillFromImage(images, id, { ...storage, isBlank: false }, { signal, progress, begin, zeroesRest: true });
  },
};

/** Throws what is wrong with the source, before anything is written, and what a copy throws. */
export function fillFrom(
  context: StepContext,
  { kind, id }: RestoreSource,
  storage: Storage,
  begin: () => Promise<void>,
): Promise<void> {
  return fills[kind](context, id, storage, begin);
}

/** All of the volume is written. Throws SnapshotRoomTooSmall. */
async function refuseOverflow({ volume, backend: { driver } }: StepContext): Promise<void> {
  await driver.snapshots?.refuseOverwrite?.(volumeSpec(volume));
}
