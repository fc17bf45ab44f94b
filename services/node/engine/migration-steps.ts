import { withVolumeData } from '../../../lib/drivers/open-data.ts';
import { type BlockstoreError, asError, errors } from '../../../lib/errors.ts';
import { writeTask } from '../../../lib/models/task.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { keeperOn } from '../shared-storage.ts';
import { isExported, markedSpec, movedLabel, volumeSpec } from '../specs.ts';
import { formerEdit } from '../former.ts';
import { fieldsAfter } from '../new-place.ts';
import { refuseCancelled, sendUnlessCancelled, stay } from './migration-cancel.ts';
import { destinationOf, placeLeftFor, placeOf, refuseSnapshots } from './migration-destination.ts';
import { copyInUse, isInUse, resume } from './migration-in-use.ts';
import type { Failure, OperationEnd, Step, StepContext } from './operation.ts';
import { allocateAddress, exportNew } from './steps.ts';

/** The destination has all the data, unless it has the volume already. */
export const copyToDestination: Step = {
  name: 'copy',
  run: async (context) => {
    const { volume, backend, migrations, progress } = context;
    if (isInUse(volume)) return copyInUse(context);
    const { migration } = await destinationOf(context);
    if (migration.hasArrived) return;
    await refuseSnapshots(context);
    const spec = volumeSpec(volume);
    await backend.target.removeExport(volume.id); // of an unattached volume
    await backend.driver.ensureVolume(spec);
    const storage = { volume: volume.id, sizeBytes: sizeInBytes(volume.size) };
    const { id, key, endpoint } = migration;
    await sendUnlessCancelled(context, (signal) =>
      withVolumeData(backend.driver, spec, { access: 'read', signal }, (path) =>
        migrations.transport.send({ migration: id, key, endpoint }, { ...storage, path }, { signal, progress }),
      ),
    );
  },
};

/**
 * From here on the storage is not the volume's any more: where Redis loses what follows, its data, which are older then, are not taken for
 * those of the volume.
 */
export const retireStorage: Step = {
  name: 'retire',
  run: async (context) => {
    const { volume, backend, migration, checkTask } = context;
    if (isInUse(volume)) return; // done with the copy: no host may write in between
    await checkTask(); // what follows is of no use where Redis has lost the migration
    if (!migration) throw errors.migrationLost(volume.migration);
    await refuseCancelled(context, migration);
    try {
      const keeper = keeperOn(backend, volume.node);
      await backend.driver.labelVolume(markedSpec(volume, movedLabel, placeOf(migration), keeper));
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
    const { volume, migration, backend, hasLeft, checkTask } = context;
    if (hasLeft) return;
    if (migration && (await placeLeftFor(context)) === placeOf(migration)) {
      await checkTask(); // its record may say that it has left
      await backend.driver.labelVolume(volumeSpec(volume));
    }
    await stay(context);
  },
};

/** Of an attached volume, whose hosts have it here again: as its record says, which may have changed. */
export const exportAgain: Step = {
  name: 'export',
  run: async (context) => {
    if (context.hasLeft) return {};
    return isInUse(context.volume) ? resume(context) : exportNew.run(context);
  },
};

/** Where this storage may be older than the volume, until its destination says what it has: the end would have that remove it. */
export function staysUndecided({ hasLeft }: StepContext, { code }: BlockstoreError): boolean {
  return hasLeft && !isFinal.has(code);
}

const isFinal: ReadonlySet<string> = new Set(['NodeLost', 'ChangeLost', 'StorageMissing']);

/** Where the destination is lost as well, the volume is in error until that returns: its record follows the label of the storage then. */
export function failureOfLeaving({ volume, hasLeft, failure }: StepContext): Failure {
  if (!hasLeft) return { transition: 'failMigrate' };
  const error = failure?.code === 'NodeLost' ? failure : errors.storageLeft(volume.id, 'another backend');
  return { transition: 'failLeaving', set: { fault: JSON.stringify(error.toFault()) } };
}

/** The volume is the destination's, whose node completes the task; its storage here, if any, is removed once that is done. */
export function handOver({ volume, migration, migrations }: StepContext): OperationEnd {
  if (!migration || !volume.task) throw errors.migrationLost(volume.migration);
  const { id, node, createTime, key } = migration;
  const { kind } = volume.task;
  const isNew = kind === 'create';
  const task = writeTask({ kind, key: volume.task.key, copied: createTime });
  const { set, unset } = fieldsAfter(volume, migration);
  const { movedFrom = '', ...others } = set;
  return {
    unset,
    set: { ...others, ...(isNew ? {} : { movedFrom }), task },
    edits: [
      { kind: 'migration', id, remove: true, expect: { key, isCancelled: '' } },
      ...(isNew ? [] : [formerEdit(volume)]),
    ],
    commands: [migrations.commandTo(node, volume.id)],
    // Nobody would complete it there, nor end it.
    condition: { is: { is: 'notLost', node }, otherwise: errors.nodeLost(node) },
  };
}

/** One that is exported from now on needs an address; the others get theirs here if there is one, or when they are attached. */
export const addressAtArrival: Step = {
  name: 'address',
  run: async (context) => {
    const { volume, addresses } = context;
    if (isInUse(volume)) {
      addresses.use(volume.id, volume);
      return {};
    }
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
  run: async ({ volume, backend: { driver }, migrations, checkTask }) => {
    const spec = volumeSpec(volume);
    // Redis may have the volume at its former place again, where hosts have it.
    if (isInUse(volume)) await checkTask();
    await migrations.arrive(volume.id, async () => {
      await driver.ensureVolume(spec);
      await driver.labelVolume(spec);
    });
  },
};

/** Its storage has all data, whatever kept it from being completed: an audit has the volume back from this error. */
export function arrivalFailure({ id }: Pick<VolumeState, 'id'>, { message }: BlockstoreError): BlockstoreError {
  return errors.arrivalFailed(id, message);
}

/** Where it fails hosts go on waiting: it is a problem of the node, which tries again with each report. */
export const exportArrived: Step = {
  name: 'export',
  run: async (context) => {
    try {
      await exportNew.run(context);
    } catch (error) {
      if (!isInUse(context.volume)) throw error;
    }
  },
};
