import { pollUntil } from '../../../lib/concurrency.ts';
import { errors, fromFault } from '../../../lib/errors.ts';
import { backendId } from '../../../lib/models/backend.ts';
import type { MigrationState } from '../../../lib/models/migration-state.ts';
import { movedLabel } from '../specs.ts';
import { storedVolume } from '../found-storage.ts';
import { isCancellable } from './migration-cancel.ts';
import type { StepContext } from './operation.ts';

/** The destination may first have to wipe what an earlier migration has left there. */
const preparationMs = 600_000;
const pollMs = 1000;
const remindEveryMs = 10_000;

export function placeOf({ node, backend }: MigrationState): string {
  return backendId(node, backend);
}

/** Returns the place for which the volume has left its storage here; undefined where that is its own. */
export async function placeLeftFor({ volume, backend: { driver } }: StepContext): Promise<string | undefined> {
  return (await storedVolume(driver, volume.id))?.labels[movedLabel];
}

/**
 * Returns the migration once its destination is ready. Where the storage here has been left, only the destination knows whether the volume
 * has been there since, which Redis may have lost: `hasLeft` until it says that it has not. Throws StorageMissing where it was left for
 * another place, and what readyDestination() throws.
 */
export async function destinationOf(context: StepContext): Promise<{ migration: MigrationState; wasLeft: boolean }> {
  const { volume, migrations } = context;
  const own = await storedVolume(context.backend.driver, volume.id);
  const place = own?.labels[movedLabel];
  context.hasLeft = place !== undefined;
  if (place !== undefined) await migrations.renew(await migrations.read(volume.migration));
  const migration = await readyDestination(context);
  context.migration = migration;
  if (place !== undefined && place !== placeOf(migration)) throw errors.storageLeft(volume.id, place);
  // What is there has not come from here: this storage is labelled as left before that can be.
  if (own && place === undefined && migration.hasArrived) throw errors.storageInTheWay(volume.id, placeOf(migration));
  context.hasLeft = migration.hasArrived;
  return { migration, wasLeft: place !== undefined };
}

/** Redis may have lost snapshots that the storage has: they would stay behind. Throws VolumeHasSnapshots. */
export async function refuseSnapshots({ volume, backend: { driver } }: StepContext): Promise<void> {
  const found = (await driver.snapshots?.listSnapshots()) ?? [];
  const own = found.filter(({ volumeId }) => volumeId === volume.id).map(({ id }) => id);
  if (own.length > 0) throw errors.migratedWithSnapshots(volume.id, own);
}

/** Throws NoAnswer, NodeDown, NodeLost, MigrationCancelled, what kept the destination from it, ChangeLost where the migration is gone. */
export async function readyDestination(context: StepContext): Promise<MigrationState> {
  const { volume, migrations, signal } = context;
  const canCancel = await isCancellable(context);
  let migration = await migrations.read(volume.migration);
  let remindedAt = performance.now();
  const isSettled = async () => {
    const { fault, hasArrived, endpoint, isCancelRequested } = migration;
    if (canCancel && isCancelRequested && !hasArrived) throw errors.migrationCancelled(volume.id);
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
