import { randomUUID } from 'node:crypto';
import { isActive } from '../../lib/models/attachment-state.ts';
import { attachmentsOfVolume, rightsOf } from '../../lib/models/attachment.ts';
import { writeChap } from '../../lib/models/chap.ts';
import { limitsSet, noLimits } from '../../lib/models/limits.ts';
import { withoutEmpty } from '../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Edit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { hostsBeyond, sameHosts } from '../../lib/targets/hosts.ts';
import type { FoundExport } from '../../lib/targets/target.ts';

type Held = Pick<VolumeState, 'id' | 'projectId' | 'attachments'>;
type Shown = Pick<FoundExport, 'readOnly' | 'hosts' | 'chap' | 'limits'>;

/** What makes a volume attached again: fields of its record, and edits of those of its attachments. */
export interface RestoredAttachments {
  set: Record<string, string>;
  edits: Edit[];
}

/**
 * Attachments as the running export of a volume shows them, where Redis has lost that it has them. Where their own records are still there
 * and have the rights of the export, they are these; else it is one for whom nobody knows.
 */
export async function restoredAttachments(store: Store, volume: Held, shown: Shown): Promise<RestoredAttachments> {
  const ids = await store.read((redis) => redis.zrange(store.keys.volumeAttachments(volume.id), '0', '-1'));
  const others = ids.filter((id) => !volume.attachments.includes(id));
  const found = (await attachmentsOfVolume(store, { attachments: others })).filter(isActive);
  const { attachMode, attachHosts } = rightsOf(found);
  const isSame = (attachMode === 'ro') === shown.readOnly && sameHosts(attachHosts, shown.hosts);
  if (found.length === 0 || !isSame) return unknownAttachment(volume, shown);
  return {
    set: fieldsOf([...volume.attachments, ...found.map(({ id }) => id)], shown),
    edits: found.map(({ id, status }) => ({
      kind: 'attachment',
      id,
      expect: { status },
      set: { status: status === 'connecting' ? status : 'attached' },
    })),
  };
}

/** The same of one for whom nobody knows. */
export function unknownAttachment({ id: volume, projectId, attachments }: Held, shown: Shown): RestoredAttachments {
  const { readOnly, hosts } = shown;
  const id = randomUUID();
  const set = {
    volume,
    projectId,
    instanceId: 'unknown',
    restored: 'true',
    status: 'attached',
    ...(readOnly ? { mode: 'ro' } : {}),
    ...(hosts.length === 0 ? {} : { hosts: hosts.join(',') }),
  };
  return {
    set: fieldsOf([...attachments, id], shown),
    edits: [{ kind: 'attachment', id, insert: true, set, stamp: ['createTime', 'attachTime'] }],
  };
}

function fieldsOf(ids: readonly string[], { readOnly, hosts, chap, limits = noLimits }: Shown): Record<string, string> {
  return {
    attachments: ids.join(','),
    ...(readOnly ? { attachMode: 'ro' } : {}),
    ...(hosts.length === 0 ? {} : { attachHosts: hosts.join(',') }),
    ...(chap === undefined ? {} : { chap: writeChap(chap) }),
    ...withoutEmpty(limitsSet(limits)).set,
  };
}

/**
 * Returns the hosts that the export of an attached volume admits beyond its record, empty: all; undefined where it admits no more. Of a
 * volume that several hosts can have at once Redis may have lost the attachment of one. Where unattached volumes are exported, an export for
 * all shows none.
 */
export function surplusHosts(
  { isMultiattach, attachStatus, attachHosts }: VolumeState,
  { hosts }: Pick<FoundExport, 'hosts'>,
  { exportUnattached }: { exportUnattached: boolean },
): readonly string[] | undefined {
  if (!isMultiattach || attachStatus !== 'attached') return undefined;
  return exportUnattached && hosts.length === 0 ? undefined : hostsBeyond(hosts, attachHosts);
}
