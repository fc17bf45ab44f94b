import { abandonedVolumesOf, volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { FoundExport } from '../../../lib/targets/target.ts';
import type { AuditContext } from '../audit.ts';
import { type StoredVolume, storedVolume } from '../found-storage.ts';
import { hasMovedHere, noteMoved, takeMoved } from '../moved-here.ts';
import { isOnStorage } from '../shared-storage.ts';
import { fieldsIn, isMarked } from '../specs.ts';
import { refuseRecorded } from './before-removal.ts';
import type { Difference } from './difference.ts';

/** Storage here whose record is absent or another node's. `remove`: an administrator asked for its removal. */
export async function storageDifferences(
  context: AuditContext,
  found: StoredVolume,
  running: FoundExport | undefined,
  remove: boolean,
): Promise<Difference[]> {
  const { store, lease, adoption, engine, addresses } = context;
  const { id, sizeBytes, labels, backend } = found;
  const object = `volume ${id}`;
  const page = await volumesOf(store).readAll([id]);
  const [record] = page.states;
  const what = record ? describePlaces(found, record, lease.node) : 'has storage but no record';
  if (page.unreadable.length > 0) return [{ object, what: 'has storage here and an unreadable record', fix: '' }];
  const deleted = await abandonedVolumesOf(store).readAll([id]);
  const [unreadable] = deleted.unreadable;
  if (unreadable) {
    return [{ object, what: `has storage here, and the record of its deletion ${unreadable.reason}`, fix: '' }];
  }
  if (remove) {
    const run = (signal: AbortSignal) =>
      engine.exclusively(id, async () => {
        // Read again: while other storage was wiped, this one may have got a record.
        await refuseRecorded(context, id);
        await backend.target.removeExport(id);
        await backend.driver.deleteVolume({ id, size: 0, sizeBytes, labels }, { signal });
        addresses.pool.release(id);
      });
    return [{ object, what, fix: 'remove the storage, as requested', run, requested: true }];
  }
  // Of another node that serves the same storage, or has just migrated.
  if (record && (await isOthers(context, found, record))) return [];
  const [deletion] = deleted.states;
  if (deletion) {
    const undone = `was deleted while node ${deletion.node} was lost, and has its storage here`;
    return [{ object, what: undone, fix: '' }];
  }
  if (record && (await hasMovedHere(context, found, record))) {
    const run = () => engine.exclusively(id, () => takeMoved(context, found));
    return [{ object, what: `${what}, which has lost it`, fix: 'take the volume, which has moved here', run }];
  }
  if (record) noteMoved(context, found, record);
  if (record || !fieldsIn(labels)) return [{ object, what, fix: '' }];
  const run = () => engine.exclusively(id, () => adoption.adoptUnrecorded(found, running));
  return [{ object, what, fix: 'make its record again', run, makesRecord: true }];
}

function describePlaces({ backend }: StoredVolume, record: VolumeState, node: string): string {
  return record.node === node && record.backend !== backend.name
    ? `has storage on backend ${backend.name}, but its record is of backend ${record.backend}`
    : `has storage here, but its record is of node ${record.node || 'nobody yet'}`;
}

async function isOthers(context: AuditContext, { id, backend }: StoredVolume, record: VolumeState): Promise<boolean> {
  if (await isOnStorage(context, backend, record)) return true;
  const now = await storedVolume(backend.driver, id);
  return now === undefined || isMarked(now.labels);
}
