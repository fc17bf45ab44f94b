import { attachmentsOf } from '../models/attachment.ts';
import { removedAttachment } from '../models/volume-edit.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { type Finding, inRedis } from './finding.ts';

/**
 * Attachments of volumes that have no record. Asked after the nodes: a node that restores the record of a volume gives it those again by
 * which hosts have it. Work proportional to the attachments of the cluster, in pages.
 */
export async function* auditAttachments(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  for await (const { id, volume } of attachmentsOf(store).iterate(store.keys.attachments())) {
    if ((await store.read((redis) => redis.exists(store.keys.volume(volume)))) === 1) continue;
    const conditions = [{ is: 'absent', kind: 'volume', id: volume } as const];
    const isRemoved = repair && (await commit(store, { conditions, edits: [removedAttachment(id)] })).word === 'ok';
    yield inRedis(`attachment ${id}`, `is of volume ${volume}, which has no record`, 'remove it', isRemoved);
  }
}
