import { pollUntil } from '../../../lib/concurrency.ts';
import { asError, errors, fromFault } from '../../../lib/errors.ts';
import { backendId } from '../../../lib/models/backend.ts';
import type { MigrationState } from '../../../lib/models/migration-state.ts';
import { writeTask } from '../../../lib/models/task.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { isExported, markedSpec, movedLabel, volumeSpec } from '../specs.ts';
import { formerEdit } from '../former.ts';
import type { OperationEnd, Step, StepContext } from './operation.ts';
import { allocateAddress } from './steps.ts';

/** The destination may first have to wipe what an earlier migration has left there. */
const preparationMs = 600_000;
const pollMs = 1000;
const remindEveryMs = 10_000;

/** The destination has all the data, unless it has the volume already. */
export const copyToDestination: Step = {
  name: 'copy',
  run: async (context) => {
    const { volume, backend, migrations, signal, progress } = context;
    const migration = await readyDestination(context);
    context.migration = migration;
    const place = await placeLeftFor(context);
    if (place !== undefined && place !== placeOf(migration)) throw errors.storageLeft(volume.id, place);
    if (migration.hasArrived) return;
    await refuseSnapshots(context);
    const spec = volumeSpec(volume);
    await backend.target.removeExport(volume.id); // of an unattached volume
    await backend.driver.ensureVolume(spec);
    const storage = { volume: volume.id, path: backend.driver.localPath(spec), sizeBytes: sizeInBytes(volume.size) };
    const { id, key, endpoint } = migration;
    await migrations.transport.send({ migration: id, key, endpoint }, storage, { signal, progress });
  },
};

function placeOf({ node, backend }: MigrationState): string {
  return backendId(node, backend);
}

/** Returns the place for which the volume has left its storage here; undefined where that is its own. */
async function placeLeftFor({ volume, backend: { driver } }: StepContext): Promise<string | undefined> {
  return (await driver.listVolumes()).find(({ id }) => id === volume.id)?.labels[movedLabel];
}

/** Redis may have lost snapshots that the storage has: they would stay behind. Throws VolumeHasSnapshots. */
async function refuseSnapshots({ volume, backend: { driver } }: StepContext): Promise<void> {
  const found = (await driver.snapshots?.listSnapshots()) ?? [];
  const own = found.filter(({ volumeId }) => volumeId === volume.id).map(({ id }) => id);
  if (own.length > 0) throw errors.migratedWithSnapshots(volume.id, own);
}

/** Throws NoAnswer, NodeDown, what kept the destination from it, ChangeLost where the migration is gone. */
async function readyDestination({ volume, migrations, signal }: StepContext): Promise<MigrationState> {
  let migration = await migrations.read(volume.migration);
  let remindedAt = performance.now();
  const isSettled = async () => {
    const { fault, hasArrived, endpoint } = migration;
    if (fault) throw fromFault(fault);
    if (hasArrived || endpoint !== '') return true;
    if (performance.now() - remindedAt > remindEveryMs) {
      remindedAt = performance.now();
      await migrations.remind(migration);
    }
    migration = await migrations.read(volume.migration);
    return undefined;
  };
  const options = { deadlineMs: preparationMs, intervalMs: 50, maxIntervalMs: pollMs, signal };
  if (await pollUntil(isSettled, options)) return migration;
  throw errors.destinationSilent(volume.id, placeOf(migration), preparationMs / 1000);
}

/**
 * From here on the storage is not the volume's any more: where Redis loses what follows, its data, which are older then, are not taken for
 * those of the volume.
 */
export const retireStorage: Step = {
  name: 'retire',
  run: async ({ volume, backend: { driver }, migration, checkTask }) => {
    await checkTask(); // what follows is of no use where Redis has lost the migration
    if (!migration) throw errors.migrationLost(volume.migration);
    try {
      await driver.labelVolume(markedSpec(volume, movedLabel, placeOf(migration)));
    } catch (error) {
      // The volume has arrived long ago, and this was removed.
      if (!migration.hasArrived || asError(error).code !== 'StorageMissing') throw error;
    }
  },
};

/** The volume stays here, unless it has left before, which Redis has lost. */
export const keepStorage: Step = {
  name: 'keep',
  run: async (context) => {
    const { volume, migration, backend } = context;
    const place = await placeLeftFor(context);
    const isOfThis = migration !== undefined && !migration.hasArrived && place === placeOf(migration);
    if (isOfThis) await backend.driver.labelVolume(volumeSpec(volume));
  },
};

/** The volume is the destination's, whose node completes the task; its storage here is removed once that is done. */
export function handOver({ volume, migration, migrations }: StepContext): OperationEnd {
  if (!migration || !volume.task) throw errors.migrationLost(volume.migration);
  const { id, node, backend, availabilityZone, createTime, type, isMultiattach, key } = migration;
  const task = writeTask({ kind: 'migrate', key: volume.task.key, copied: createTime });
  return {
    set: {
      node,
      backend,
      availabilityZone,
      task,
      movedFrom: backendId(volume.node, volume.backend),
      ...(type === '' ? {} : { type }),
      ...((isMultiattach ?? volume.isMultiattach) === volume.isMultiattach
        ? {}
        : { multiattach: String(isMultiattach) }),
    },
    edits: [{ kind: 'migration', id, remove: true, expect: { key, isCancelled: '' } }, formerEdit(volume)],
    commands: [migrations.commandTo(node, volume.id)],
  };
}

/** One that is exported from now on needs an address; the others get theirs here if there is one, or when they are attached. */
export const addressAtArrival: Step = {
  name: 'address',
  run: async (context) => {
    try {
      return await allocateAddress.run(context);
    } catch (error) {
      if (asError(error).kind !== 'exhausted' || isExported(context.volume, context.exportUnattached)) throw error;
      return {};
    }
  },
};

/** The copy is the volume's storage. */
export const acceptStorage: Step = {
  name: 'arrive',
  run: async ({ volume, backend: { driver } }) => {
    const spec = volumeSpec(volume);
    try {
      await driver.ensureVolume(spec);
      await driver.labelVolume(spec);
    } catch (thrown) {
      throw errors.arrivalFailed(volume.id, asError(thrown).message);
    }
  },
};
