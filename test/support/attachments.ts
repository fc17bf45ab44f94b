import { randomUUID } from 'node:crypto';
import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { type Attachment, attachmentSet, attachmentsOfVolume } from '../../lib/models/attachment.ts';
import { attachmentFields } from '../../lib/models/volume-fields.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Edit } from '../../lib/redis/scripts.ts';
import { Store } from '../../lib/redis/store.ts';

/** The attachments of a volume. */
export async function usesOf(store: Store, volume: string): Promise<readonly AttachmentState[]> {
  return attachmentsOfVolume(store, await volumesOf(store).lookup(volume));
}

/** The instances that a volume is attached to. */
export async function instancesOf(store: Store, volume: string): Promise<string[]> {
  return (await usesOf(store, volume)).map(({ instanceId }) => instanceId);
}

/** The edit that makes the record of an attachment, and its id. */
export function newAttachment(
  volume: string,
  attachment: Partial<Attachment>,
  status: AttachmentState['status'],
): { id: string; edit: Edit } {
  const id = randomUUID();
  const set = { ...attachmentSet({ instanceId: 'i-1', mountpoint: '/dev/vdb', ...attachment }), volume, status };
  return {
    id,
    edit: {
      kind: 'attachment',
      id,
      insert: true,
      set: { ...set, projectId: 'project' },
      stamp: ['createTime', 'attachTime'],
    },
  };
}

/** Redis loses that a volume is attached, and to what. */
export async function loseAttachments(store: Store, volume: string): Promise<void> {
  const { redis, keys } = store;
  const ids = (await usesOf(store, volume)).map(({ id, projectId }) => ({ id, projectId }));
  for (const { id, projectId } of ids) {
    await redis.del(keys.attachment(id), keys.volumeAttachments(volume));
    await redis.zrem(keys.attachments(), id);
    await redis.zrem(keys.projectAttachments(projectId), id);
  }
  await redis.hdel(keys.volume(volume), ...attachmentFields.filter((field) => field !== 'chap'));
}

/** Fields as a host would have left them: of the attachment of a volume, and what of them the volume's record has as well. */
export type AttachmentFields = Partial<
  Record<'instanceId' | 'hostName' | 'hostId' | 'domain' | 'libvirtUri' | 'mountpoint' | 'hosts' | 'restored', string>
>;

/** Changes the only attachment of a volume by hand; '' removes a field. */
export async function changeAttachment(store: Store, volume: string, fields: AttachmentFields): Promise<void> {
  const { redis, keys } = store;
  const [use] = await usesOf(store, volume);
  if (!use) throw new Error(`volume ${volume} is not attached`);
  for (const [name, value] of Object.entries(fields)) {
    await (value === '' ? redis.hdel(keys.attachment(use.id), name) : redis.hset(keys.attachment(use.id), name, value));
  }
  if (fields.hosts !== undefined) await redis.hset(keys.volume(volume), 'attachHosts', fields.hosts);
}

/** A store of a requester that reads a volume, and then, after `meanwhile`, its attachments. */
export class ReadInBetween extends Store {
  meanwhile: (() => Promise<unknown>) | undefined;
  private reads = 0;

  override async read<T>(...[commands]: Parameters<typeof Store.prototype.read<T>>): Promise<T> {
    this.reads += 1;
    if (this.reads === 2) await this.meanwhile?.();
    return super.read(commands);
  }
}
