import { errors } from '../errors.ts';
import type { Hash } from '../models/hash.ts';
import { isId } from '../models/id.ts';
import { type NewVolume, nodeOfAbandoned, volumesOf } from '../models/volume.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import type { Edit, ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import { demandsOf } from './demands.ts';
import { hasGroupChanged, placeInGroup } from './group-place.ts';
import { topicOf } from './message.ts';
import { newMigration } from './new-migration.ts';
import { newRecord } from './new-record.ts';
import { overQuota } from './over-quota.ts';
import { type RecentCandidates, place } from './placement.ts';
import { type Origin, originOf } from './volume-origin.ts';

interface PlaceContext {
  store: Store;
  /** The beginning of the names of topics. */
  topic: string;
  recent: RecentCandidates;
}

/** Returns undefined where a record with that id exists: a repeated request has its answer from it, whatever has free space now. */
export async function placeNew(
  { store, topic, recent }: PlaceContext,
  volume: NewVolume,
  { node, to }: { node: string | undefined; to: ReplyTo | undefined },
): Promise<VolumeState | undefined> {
  const { id, size, projectId } = volume;
  try {
    const origin = await originOf(store, volume, node);
    const { type = origin?.type ?? '', zone: wantedZone = '', apartFrom = [] } = volume;
    const sender = origin?.sender;
    const beside = sender ? undefined : origin?.place;
    const ofGroup = await placeInGroup(store, { ...volume, type }, beside ?? node);
    const at = ofGroup?.place ?? beside ?? node;
    const demands = await demandsOf(store, {
      type,
      wantedZone,
      apartFrom,
      isMultiattach: volume.isMultiattach ?? false,
    });
    const isMultiattach = demands?.requirements.multiattach === 'yes'; // of its type as well
    const isEncrypted = volume.isEncrypted === true || demands?.isEncrypted === true;
    const encryptionKey = keyOf({ ...volume, isEncrypted }, origin, isMultiattach);
    const request = {
      size,
      demands,
      recent,
      ...(at === undefined ? {} : { node: at }),
      ...((volume.fromImage ?? volume.fromBackup) === undefined ? {} : { needs: 'images' as const }),
      ...(sender ? { needs: 'migration' as const, leaves: sender.shared } : {}),
    };
    const ofType: Edit[] = type === '' ? [] : [{ kind: 'type', id: type }]; // it is there still
    let set: Hash = {};
    const placed = await place(store, request, (backend) => {
      // Another one may join an empty group where this volume is: it is placed nowhere else.
      const pin = at ?? (ofGroup && backend.id);
      const fields = { ...volume, type, isMultiattach, encryptionKey };
      const sent = sender && newMigration({ id, size, node: sender.node }, backend, { topic });
      set = {
        ...newRecord(fields, sender ?? backend, pin, to, store.by),
        ...(sent ? { migration: sent.id, sent: 'true' } : {}),
      };
      return {
        // One that is still to be deleted has storage on its lost node.
        conditions: [
          { is: 'absent', kind: 'abandoned', id },
          { is: 'quota', project: projectId, volumes: 1, bytes: sizeInBytes(size) },
          ...(ofGroup?.conditions ?? []),
          ...(sender ? [{ is: 'up', node: sender.node } as const] : []),
        ],
        edits: [
          { kind: 'volume', id, insert: true, set, stamp: ['createTime'] },
          ...(sent ? [sent.edit] : []),
          ...(origin?.edits ?? []),
          ...ofType,
          ...(ofGroup?.edits ?? []),
        ],
        commands: sent?.commands ?? [{ topic: topicOf(topic, backend.node), message: JSON.stringify({ volume: id }) }],
      };
    });
    if ('backend' in placed) return parseVolume(id, { ...set, createTime: placed.outcome.time });
    if (placed.word === 'condition' && placed.condition.is === 'quota') {
      throw await overQuota(store, placed.condition);
    }
    if (volume.group !== undefined && hasGroupChanged(volume.group, placed)) return undefined;
    if (placed.word === 'condition' && placed.condition.is === 'up') throw errors.nodeDown(placed.condition.node);
    if (placed.word === 'condition') throw errors.volumeAbandoned(id, await nodeOfAbandoned(store, id));
    return undefined;
  } catch (error) {
    if (await volumesOf(store).find(id)) return undefined;
    throw error;
  }
}

/** The key of its first data, or one of its own. Throws InvalidArgument. */
function keyOf(volume: NewVolume, origin: Origin | undefined, isMultiattach: boolean): string {
  const { id, isEncrypted = false, encryptionKey, fromImage, fromBackup } = volume;
  const key = origin?.encryptionKey ?? encryptionKey ?? (isEncrypted ? id : '');
  if (isEncrypted && origin?.encryptionKey === '') throw errors.encryptedVolume(id, 'its first data are not');
  if (key === '') return '';
  if (!isId(key)) throw errors.invalidArgument('encryption key', key, 'a UUID in lower case');
  if (encryptionKey !== undefined && fromBackup === undefined) {
    throw errors.invalidArgument('encryption key', encryptionKey, 'given with the backup whose data it opens');
  }
  if (fromImage !== undefined) throw errors.encryptedVolume(id, 'the data of an image are not');
  if (fromBackup !== undefined && key === id) {
    throw errors.encryptedVolume(id, 'the data of a backup are not encrypted with a new key');
  }
  if (isMultiattach) throw errors.encryptedVolume(id, 'several hosts would format it at once');
  return key;
}
