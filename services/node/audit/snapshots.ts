import { differInLabels } from '../../../lib/drivers/driver.ts';
import type { FoundSnapshot } from '../../../lib/drivers/snapshots.ts';
import { errors } from '../../../lib/errors.ts';
import type { SnapshotState } from '../../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { AuditContext } from '../audit.ts';
import type { StoredSnapshot } from '../snapshot-records.ts';
import { type LabelledFields, fieldsIn, snapshotLabels, snapshotSpec } from '../specs.ts';
import { refuseRecorded } from './before-removal.ts';
import type { Difference } from './difference.ts';

/** Volumes whose snapshots are read at once. */
const pageSize = 500;

/**
 * Differences between the records of snapshots and the storage, of these volumes: those on which nothing is under way. `found`: what was on
 * the storage before the records of the volumes were read. `remove`: an administrator asked for their removal.
 */
export async function snapshotDifferences(
  context: AuditContext,
  found: readonly StoredSnapshot[],
  volumes: readonly string[],
  remove: readonly string[],
): Promise<Difference[]> {
  const own = new Set(volumes);
  const stored = new Map(found.filter(({ volumeId }) => own.has(volumeId)).map((one) => [one.id, one]));
  const recorded = new Set<string>();
  const differences: Difference[] = [];
  for (let first = 0; first < volumes.length; first += pageSize) {
    const { states, unreadable } = await context.snapshots.ofVolumes(volumes.slice(first, first + pageSize));
    for (const { id, reason } of unreadable) {
      recorded.add(id);
      differences.push({ object: `snapshot ${id}`, what: `has an unusable record: ${reason}`, fix: '' });
    }
    for (const snapshot of states) {
      recorded.add(snapshot.id);
      differences.push(...recordDifferences(context, snapshot, stored.get(snapshot.id)));
    }
  }
  for (const one of stored.values()) {
    if (!recorded.has(one.id)) differences.push(storageDifference(context, one));
  }
  const others = found.filter(({ volumeId }) => !own.has(volumeId));
  return [...differences, ...(await orphanDifferences(context, others, remove))];
}

/** Snapshots whose volumes have no record on any node: Redis had lost theirs when the volumes were deleted. */
async function orphanDifferences(
  context: AuditContext,
  found: readonly StoredSnapshot[],
  remove: readonly string[],
): Promise<Difference[]> {
  const { store } = context;
  const differences: Difference[] = [];
  for (let first = 0; first < found.length; first += pageSize) {
    const page = found.slice(first, first + pageSize);
    const { states, unreadable } = await volumesOf(store).readAll([...new Set(page.map(({ volumeId }) => volumeId))]);
    const recorded = new Set([...states, ...unreadable].map(({ id }) => id));
    for (const snapshot of page) {
      const { id, volumeId } = snapshot;
      if (recorded.has(volumeId)) continue;
      const object = `snapshot ${id}`;
      const what = `has storage but no record, and its volume ${volumeId} is gone`;
      const run = (signal: AbortSignal) => removeOrphan(context, snapshot, signal);
      const removal: Difference = { object, what, fix: 'remove the storage, as requested', run, requested: true };
      differences.push(remove.includes(id) ? removal : { object, what, fix: '' });
    }
  }
  return differences;
}

async function removeOrphan(
  context: AuditContext,
  { id, volumeId, sizeBytes, labels, backend }: StoredSnapshot,
  signal: AbortSignal,
): Promise<void> {
  await context.engine.exclusively(volumeId, async () => {
    // Read again: while other storage was wiped, a volume may have got its id.
    await refuseRecorded(context, volumeId);
    const volume = { id: volumeId, size: 0, sizeBytes, labels: {} };
    await backend.driver.snapshots?.deleteSnapshot({ id, volume, labels }, { signal });
  });
}

function recordDifferences(
  context: AuditContext,
  snapshot: SnapshotState,
  found: FoundSnapshot | undefined,
): Difference[] {
  const { snapshots } = context;
  const { id, status } = snapshot;
  const object = `snapshot ${id}`;
  if (status === 'creating' || status === 'deleting') {
    // Its volume has no such task any more.
    const becomes = status === 'creating' ? 'error' : 'error_deleting';
    const fault = errors.changeLost(id, status, status).toFault();
    const run = () => snapshots.mark(snapshot, becomes, fault);
    return [{ object, what: `is ${status}, and its volume has no task for it`, fix: 'put its record into error', run }];
  }
  if (status !== 'available') return [];
  const fault = found
    ? found.unusable && errors.snapshotUnusable(id, found.unusable)
    : errors.snapshotMissing(id, 'it');
  if (!fault) {
    const labelled = found && fieldsIn(found.labels);
    if (!labelled) return [];
    const altered = alteredIn(snapshot, labelled);
    if (Object.keys(altered).length > 0) return [otherRecord(context, snapshot, altered)];
    return differInLabels(found.labels, snapshotLabels(snapshot)) ? [otherLabels(context, snapshot)] : [];
  }
  const what = found?.unusable === undefined ? 'has a record but no storage' : `cannot be used: ${found.unusable}`;
  const run = () => snapshots.mark(snapshot, 'error', fault.toFault());
  return [{ object, what, fix: 'put its record into error', run }];
}

/** What no request changes, with the values that its labels have from its creation. */
function alteredIn(snapshot: SnapshotState, { size, createTime }: LabelledFields): Readonly<Record<string, string>> {
  return {
    ...(Number(size) === snapshot.size ? {} : { size }),
    ...(createTime === undefined || Number(createTime) === snapshot.createTime ? {} : { createTime }),
  };
}

/** Somebody has altered the record. */
function otherRecord(
  { snapshots }: AuditContext,
  { id, size, createTime }: SnapshotState,
  set: Readonly<Record<string, string>>,
): Difference {
  return {
    object: `snapshot ${id}`,
    what: `has another ${'size' in set ? 'size' : 'creation time'} in its record than on its storage`,
    fix: 'correct its record',
    run: () => snapshots.correct(id, { size: String(size), createTime: String(createTime) }, set),
  };
}

/** A transfer may have failed to label it. */
function otherLabels({ store, backends, exclusively }: AuditContext, { id, volume }: SnapshotState): Difference {
  const run = () =>
    exclusively(volume, async (now) => {
      const { driver } = backends.get(now.backend);
      await driver.snapshots?.labelSnapshot(snapshotSpec(now, await snapshotsOf(store).lookup(id)));
    });
  return {
    object: `snapshot ${id}`,
    what: 'has other labels on its storage than its record',
    fix: 'label it anew',
    run,
  };
}

function storageDifference({ snapshots }: AuditContext, found: StoredSnapshot): Difference {
  const object = `snapshot ${found.id}`;
  const what = 'has storage but no record';
  if (!snapshots.isWhole(found)) return { object, what, fix: '' };
  const run = async () => {
    const isRestored = await snapshots.restore(found);
    // Its volume has changed meanwhile: a comparison after a loss of Redis comes back to it.
    if (!isRestored) throw errors.wrongStatus(found.volumeId, 'being changed', 'no other change at the same time');
  };
  return { object, what, fix: 'make its record again', run, makesRecord: true };
}
