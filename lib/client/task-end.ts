import { type BlockstoreError, errors } from '../errors.ts';
import { isActive } from '../models/attachment-state.ts';
import { attachmentsOf } from '../models/attachment.ts';
import type { Hash } from '../models/hash.ts';
import type { VolumeTaskKind } from '../models/task.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import type { Store } from '../redis/store.ts';
import { type RequestEnd, failed } from './request-client.ts';

/** Whether a record shows that an operation ended well; otherwise, without a fault, Redis lost the operation. */
const isDone: Record<VolumeTaskKind, (volume: VolumeState, asked: VolumeState | undefined) => boolean> = {
  create: () => true,
  delete: () => false,
  attach: ({ attachments }, asked) => attachments.includes(asked?.attachment ?? ''),
  detach: ({ attachments }, asked) => !attachments.includes(asked?.attachment ?? ''),
  rename: (volume, asked) => volume.name === (asked?.name ?? volume.name),
  extend: ({ size }, asked) => size >= (asked?.newSize ?? 0),
  relabel: ({ projectId }, asked) => projectId === asked?.projectId,
  migrate: ({ node, backend }, asked) => node !== asked?.node || backend !== asked.backend,
  restore: ({ restoredTime = 0 }, asked) => restoredTime >= (asked?.restoreTime ?? Infinity),
};

/**
 * Returns how a task has ended, as the record of its volume shows it; undefined while it is under way. `asked`: the record when the request
 * was made.
 */
export async function taskEnd(
  store: Store,
  kind: VolumeTaskKind,
  id: string,
  asked: VolumeState | undefined,
): Promise<RequestEnd | undefined> {
  const record = await store.read((redis) => redis.hgetall(store.keys.volume(id)));
  if (Object.keys(record).length === 0) return kind === 'delete' ? {} : { fault: lost(id, kind) };
  const volume = parseVolume(id, record);
  // Deleted, and its id is another volume's.
  if (kind === 'delete' && asked !== undefined && volume.createTime !== asked.createTime) return {};
  if (asked && (kind === 'attach' || kind === 'detach')) return attachmentEnd(store, kind, { volume, asked, record });
  if (volume.task?.kind === kind) return undefined;
  if (kind === 'rename') return isDone.rename(volume, asked) ? { record } : { fault: changed(kind, volume) };
  if (volume.fault) return failed(volume.fault);
  return isDone[kind](volume, asked) ? { record } : { fault: changed(kind, volume) };
}

/** The volume may have other attachments, and a task about them. */
async function attachmentEnd(
  store: Store,
  kind: 'attach' | 'detach',
  { volume, asked, record }: { volume: VolumeState; asked: VolumeState; record: Hash },
): Promise<RequestEnd | undefined> {
  const { attachment } = asked;
  if (volume.task?.kind === kind && volume.attachment === attachment) return undefined;
  const [use] = (await attachmentsOf(store).readAll([attachment])).states;
  // It is left to be detached; the volume may have no fault any more.
  if (use?.fault) return failed(use.fault);
  // One that was reserved before is there whatever Redis has lost.
  const isReserved = use !== undefined && !isActive(use);
  // One that its host has released may be kept.
  const isOver =
    kind === 'attach' ? isDone.attach(volume, asked) && !isReserved : isDone.detach(volume, asked) || isReserved;
  if (isOver) return { record };
  return volume.fault ? failed(volume.fault) : { fault: changed(kind, volume) };
}

function changed(kind: VolumeTaskKind, { id, status, attachStatus }: VolumeState): BlockstoreError {
  return errors.changeLost(id, kind, `${status}, ${attachStatus}`);
}

/** While an operation is under way its record stays: Redis has lost it. */
export function lost(id: string, kind: VolumeTaskKind): BlockstoreError {
  return errors.changeLost(id, kind, 'without a record');
}
