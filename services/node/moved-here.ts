import { type BlockstoreError, errors } from '../../lib/errors.ts';
import { backendId, parsePlace } from '../../lib/models/backend.ts';
import { editOf } from '../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { AdoptionOptions } from './adopter.ts';
import type { StoredVolume } from './found-storage.ts';
import { fieldsAtPlace } from './new-place.ts';
import type { Problems } from './problems.ts';
import { isOnStorage, sharedIdentity } from './shared-storage.ts';
import { fromLabel, isMarked, isMarkedMissing } from './specs.ts';

type Options = AdoptionOptions & { problems: Problems };

/** Whether Redis has lost the migration of a volume, whose former storage is gone: its node reports that. */
export async function hasMovedHere(
  node: Pick<AdoptionOptions, 'store' | 'lease'>,
  found: StoredVolume,
  record: VolumeState,
): Promise<boolean> {
  // Hosts that have it find it here at its address.
  const isReached = record.attachStatus === 'detached' || found.labels['address'] === record.address;
  if (!mayHaveMovedHere(found, record) || !isReached || !isMarkedMissing(record)) return false;
  if (sharedIdentity(found.backend) === '') return true;
  // Other nodes reach it: it may be what the volume has left, on a node that has not labelled it yet.
  const { movedFrom } = record;
  const { node: before, backend: backendBefore = '' } = movedFrom === '' ? record : parsePlace(movedFrom);
  const places = [record, { node: before, backend: backendBefore }];
  const areThere = await Promise.all(places.map((place) => isOnStorage(node, found.backend, place)));
  return !areThere.includes(true) && found.labels[fromLabel] === backendId(record.node, record.backend);
}

function mayHaveMovedHere({ labels }: StoredVolume, record: VolumeState): boolean {
  const isSame = labels['created'] === String(record.createTime);
  return labels[fromLabel] !== undefined && !isMarked(labels) && isSame;
}

function isPlaceOf(here: string, { backend }: StoredVolume, record: VolumeState): boolean {
  return record.node === here && record.backend === backend.name;
}

/** An audit of any node that reaches it finds that of shared storage. */
function isFollowed(here: string, found: StoredVolume, record: VolumeState): boolean {
  return sharedIdentity(found.backend) === '' && !isPlaceOf(here, found, record) && mayHaveMovedHere(found, record);
}

function elsewhere(
  here: string,
  { id, backend }: StoredVolume,
  { node, backend: other, status }: VolumeState,
): BlockstoreError {
  return node === here
    ? errors.storageElsewhere(id, backend.name, other, status)
    : errors.foreignStorage(id, node, status);
}

/** Storage that may be that of another node's volume: followed with each report until that is known. */
export function noteMoved({ lease, problems }: Options, found: StoredVolume, record: VolumeState): void {
  if (isFollowed(lease.node, found, record)) problems.noteForeign(record.id, elsewhere(lease.node, found, record));
}

/**
 * Takes such a volume once its node has found its own storage missing, and hosts that had it there are detached. Storage of a volume
 * that was deleted meanwhile is left: an audit names it.
 */
export async function followMoved(options: Options, id: string, copies: readonly StoredVolume[]): Promise<void> {
  const { store, lease, problems } = options;
  const { states, unreadable } = await volumesOf(store).readAll([id]);
  if (unreadable.length > 0) return;
  const [record] = states;
  await problems.following(id, async () => {
    const found = record && copies.find((one) => isFollowed(lease.node, one, record));
    if (found) await takeMoved(options, found);
  });
}

/** The task that completes a migration does the rest. Throws ForeignStorage while the volume may be on its node. */
export async function takeMoved(options: AdoptionOptions, found: StoredVolume): Promise<void> {
  const { store, lease, availabilityZone, table } = options;
  const { id, backend } = found;
  const record = await volumesOf(store).lookup(id);
  if (!(await hasMovedHere(options, found, record))) throw elsewhere(lease.node, found, record);
  const { set, unset } = fieldsAtPlace(record, { node: lease.node, backend: backend.name, availabilityZone });
  const edit = editOf(record, 'leaveAgain', { set, unset, task: { copied: await redisTime(store) } });
  const outcome = await commit(store, {
    owner: lease.token,
    conditions: [{ is: 'absent', kind: 'abandoned', id }],
    edits: [edit],
  });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, record.status, 'no other change at the same time');
  table.taken.add(id); // Redis may have lost its snapshots as well
}
