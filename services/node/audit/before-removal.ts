import { errors } from '../../../lib/errors.ts';
import { stateOf } from '../../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type ChangeSet, commit } from '../../../lib/redis/scripts.ts';
import type { AuditContext } from '../audit.ts';

/**
 * Returns whether no volume has this id, before what is here of it is removed: this node has its lease, and the replicas have what that
 * rests on. Throws Fenced, NotReplicated.
 */
export async function isUnrecorded(context: AuditContext, id: string): Promise<boolean> {
  return isMet(context, { conditions: [{ is: 'absent', kind: 'volume', id }], edits: [] });
}

/** Throws StorageRecorded where a volume has the id: its storage here may be the only copy. And Fenced, NotReplicated, RecordUnreadable. */
export async function refuseRecorded(context: AuditContext, id: string): Promise<void> {
  if (await isUnrecorded(context, id)) return;
  const { node, status } = await volumesOf(context.store).lookup(id);
  throw errors.storageRecorded(id, node, status);
}

/** The volume is as it was read, before something of it is removed here. Throws WrongStatus, Fenced, NotReplicated. */
export async function refuseChanged(context: AuditContext, volume: VolumeState): Promise<void> {
  const { id, status, backend } = volume;
  const isSame = await isMet(context, { edits: [{ kind: 'volume', id, expect: { ...stateOf(volume), backend } }] });
  if (!isSame) throw errors.wrongStatus(id, status, 'no other change at the same time');
}

async function isMet({ store, lease }: AuditContext, expected: ChangeSet): Promise<boolean> {
  const outcome = await commit(store, { ...expected, owner: lease.token, frees: true });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  return outcome.word === 'ok';
}
