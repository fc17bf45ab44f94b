import { errors } from '../errors.ts';
import { type BackendState, backendId, backendsOf, parsePlace } from '../models/backend.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { type NewVolume, volumesOf } from '../models/volume.ts';
import type { Edit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/** What a new volume gets its first data from. */
export interface Origin {
  /** Where that is, and so the new volume, unless there is a sender: `node@backend`. */
  place: string;
  /** The backend that the data are sent from, where the request names another one. */
  sender: BackendState | undefined;
  /** The type of the volume that it is, or was, of. */
  type: string;
  /** What its hosts encrypt it with; '' = it is not encrypted. */
  encryptionKey: string;
  /** It is still as it was read when the record of the new volume is made. */
  edits: readonly Edit[];
}

/**
 * Returns undefined for a volume that begins empty. Throws SnapshotNotFound, VolumeNotFound, SizeTooSmall, NotCapable, WrongStatus, and
 * OtherBackend where a volume of a group is to be at another place.
 */
export async function originOf(
  store: Store,
  { fromSnapshot, fromVolume, size, group }: NewVolume,
  node: string | undefined,
): Promise<Origin | undefined> {
  if (fromSnapshot === undefined && fromVolume === undefined) return undefined;
  const snapshot = fromSnapshot === undefined ? undefined : await snapshotsOf(store).lookup(fromSnapshot);
  const volume = await volumesOf(store).lookup(snapshot?.volume ?? fromVolume ?? '');
  const what = snapshot ? `snapshot ${snapshot.id}` : `volume ${volume.id}`;
  const least = snapshot?.size ?? volume.size;
  if (size < least) throw errors.sizeTooSmall(what, least, size);
  if (snapshot && snapshot.status !== 'available') throw errors.originNotReady(what, snapshot.status);
  if (!snapshot && !hasData(volume)) throw errors.originNotReady(what, volume.status);
  const place = backendId(volume.node, volume.backend);
  const { states } = await backendsOf(store).readAll([place]);
  const [backend] = states;
  const needed = snapshot ? 'snapshots' : 'clones';
  if (backend && !backend.capabilities.includes(needed)) throw errors.notCapable(volume.id, backend.driver, needed);
  const isElsewhere = node !== undefined && !isThere(node, volume);
  if (isElsewhere) {
    if (!backend) throw errors.nodeDown(volume.node);
    if (group !== undefined) throw errors.otherBackend(what, place, node);
    if (!backend.capabilities.includes('images')) throw errors.notCapable(volume.id, backend.driver, 'images');
    if (!snapshot && volume.attachStatus !== 'detached') throw errors.originInUse(volume.id, volume.status);
  }
  const edit: Edit = snapshot
    ? { kind: 'snapshot', id: snapshot.id, expect: { status: snapshot.status } }
    : { kind: 'volume', id: volume.id, expect: { node: volume.node, backend: volume.backend, status: volume.status } };
  const { type, encryptionKey } = volume;
  return { place, sender: isElsewhere ? backend : undefined, type, encryptionKey, edits: [edit] };
}

function hasData({ status }: VolumeState): boolean {
  return ![
    'creating',
    'deleting',
    'error',
    'error_deleting',
    'awaiting-transfer',
    'transferring',
    'migrating',
    'restoring',
    'error_restoring',
  ].includes(status);
}

function isThere(text: string, volume: VolumeState): boolean {
  const { node, backend = volume.backend } = parsePlace(text);
  return node === volume.node && backend === volume.backend;
}
