import { errors } from '../../../lib/errors.ts';
import { backendId } from '../../../lib/models/backend.ts';
import { editOf } from '../../../lib/models/volume-edit.ts';
import { abandonedVolumesOf, volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { redisTime } from '../../../lib/redis/redis-time.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { FoundExport } from '../../../lib/targets/target.ts';
import type { StoredVolume } from '../adopter.ts';
import type { AuditContext } from '../audit.ts';
import { lenderAt } from '../engine/migration-steps.ts';
import { sharedIdentity } from '../shared-storage.ts';
import { fieldsIn, fromLabel, isMarkedMissing } from '../specs.ts';
import type { Difference } from './difference.ts';

/** Storage here whose record is absent or another node's. `remove`: an administrator asked for its removal. */
export async function storageDifferences(
  context: AuditContext,
  found: StoredVolume,
  running: FoundExport | undefined,
  remove: boolean,
): Promise<Difference[]> {
  const { store, adoption, engine, addresses } = context;
  const { id, sizeBytes, labels, backend } = found;
  const object = `volume ${id}`;
  const page = await volumesOf(store).readAll([id]);
  const [record] = page.states;
  const owner = record ? record.node || 'nobody yet' : undefined;
  const what =
    owner === undefined ? 'has storage but no record' : `has storage here, but its record is of node ${owner}`;
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
        const now = await volumesOf(store).find(id);
        if (now) throw errors.storageRecorded(id, now.node, now.status);
        await backend.target.removeExport(id);
        await backend.driver.deleteVolume({ id, size: 0, sizeBytes, labels }, { signal });
        addresses.pool.release(id);
      });
    return [{ object, what, fix: 'remove the storage, as requested', run, requested: true }];
  }
  // Of another node that serves the same storage.
  if (record && sharedIdentity(backend) !== '') return [];
  const [deletion] = deleted.states;
  if (deletion) {
    const undone = `was deleted while node ${deletion.node} was lost, and has its storage here`;
    return [{ object, what: undone, fix: '' }];
  }
  if (record && hasMovedHere(found, record)) {
    const run = () => engine.exclusively(id, () => takeMoved(context, found));
    return [{ object, what: `${what}, which has lost it`, fix: 'take the volume, which has moved here', run }];
  }
  if (record || !fieldsIn(labels)) return [{ object, what, fix: '' }];
  const run = () => engine.exclusively(id, () => adoption.adoptUnrecorded(found, running));
  return [{ object, what, fix: 'make its record again', run, makesRecord: true }];
}

/** Redis has lost the migration of a volume, whose former storage is gone: its node reports that. */
function hasMovedHere({ labels }: StoredVolume, record: VolumeState): boolean {
  const isSame = labels['created'] === String(record.createTime);
  // Hosts that have it find it here at its address.
  const isReached = record.attachStatus === 'detached' || labels['address'] === record.address;
  return labels[fromLabel] !== undefined && isSame && isReached && isMarkedMissing(record);
}

/** The task that completes a migration does the rest. */
async function takeMoved({ store, lease, availabilityZone }: AuditContext, found: StoredVolume): Promise<void> {
  const { id, backend } = found;
  const record = await volumesOf(store).lookup(id);
  if (!hasMovedHere(found, record)) throw errors.foreignStorage(id, record.node, record.status);
  const movedFrom = backendId(record.node, record.backend);
  const lender = lenderAt(lease.node, record);
  const set = {
    node: lease.node,
    backend: backend.name,
    availabilityZone,
    movedFrom,
    ...(lender === '' ? {} : { lender }),
  };
  const unset = lender === '' ? ['lender'] : [];
  const edit = editOf(record, 'leaveAgain', { set, unset, task: { copied: await redisTime(store) } });
  const outcome = await commit(store, { owner: lease.token, edits: [edit] });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, record.status, 'no other change at the same time');
}
