import { errors } from '../../../lib/errors.ts';
import { type AttachmentState, type AttachmentStatus, isActive } from '../../../lib/models/attachment-state.ts';
import { attachmentsOf, rightsOf, rightsSet } from '../../../lib/models/attachment.ts';
import { removedAttachment, stateOf, withoutEmpty } from '../../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { type Edit, commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { hostsBeyond, sameHosts } from '../../../lib/targets/hosts.ts';
import type { AuditContext } from '../audit.ts';
import { unknownAttachment } from '../restored-attachments.ts';
import type { Difference } from './difference.ts';

/** Volumes whose attachments are read at once. */
const pageSize = 500;

/** What Redis has of the attachments of a volume. */
interface Recorded {
  /** Those that the volume names and those that name it. */
  states: readonly AttachmentState[];
  /** Ids of those that cannot be read. */
  unreadable: ReadonlySet<string>;
}

/** How the attachments of volumes without a task differ from what the records of these say of them. */
export async function attachmentDifferences(
  context: AuditContext,
  volumes: readonly VolumeState[],
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (let first = 0; first < volumes.length; first += pageSize) {
    const page = volumes.slice(first, first + pageSize);
    const recorded = await readAttachments(context.store, page);
    for (const volume of page) {
      const what = differenceOf(volume, recorded.get(volume.id) ?? { states: [], unreadable: new Set() });
      if (what === undefined) continue;
      const run = () => context.exclusively(volume.id, (now) => repairAttachments(context, now));
      differences.push({ object: `volume ${volume.id}`, what, fix: 'make its attachments consistent', run });
    }
  }
  return differences;
}

async function readAttachments(store: Store, volumes: readonly VolumeState[]): Promise<ReadonlyMap<string, Recorded>> {
  const indexed = await store.read((redis) =>
    Promise.all(volumes.map(({ id }) => redis.zrange(store.keys.volumeAttachments(id), '0', '-1'))),
  );
  const named = volumes.map(({ attachments }, index) => [...new Set([...attachments, ...(indexed[index] ?? [])])]);
  const { states, unreadable } = await attachmentsOf(store).readAll([...new Set(named.flat())]);
  const stateOfId = new Map(states.map((state) => [state.id, state]));
  const unreadableIds = new Set(unreadable.map(({ id }) => id));
  return new Map(
    volumes.map(({ id }, index) => {
      const ids = named[index] ?? [];
      const own = ids.flatMap((one) => stateOfId.get(one) ?? []).filter(({ volume }) => volume === id);
      return [id, { states: own, unreadable: new Set(ids.filter((one) => unreadableIds.has(one))) }] as const;
    }),
  );
}

function differenceOf(volume: VolumeState, { states, unreadable }: Recorded): string | undefined {
  const { attachments, attachStatus } = volume;
  const known = new Set([...states.map(({ id }) => id), ...unreadable]);
  const lost = attachments.find((id) => !known.has(id));
  if (lost !== undefined) return `has an attachment ${lost} without a record`;
  const stray = states.find(({ id }) => !attachments.includes(id));
  if (stray) return `does not have the attachment ${stray.id}, which is of it`;
  const isAttached = attachStatus === 'attached';
  const odd = states.find((one) => statusOf(one, isAttached) !== one.status);
  if (odd) return `is ${attachStatus}, and its attachment ${odd.id} is ${odd.status}`;
  if (unreadable.size > 0 || !isAttached) return undefined;
  const { attachMode, attachHosts } = rightsOf(states);
  const hasRights = attachMode === volume.attachMode && sameHosts(attachHosts, volume.attachHosts);
  return hasRights ? undefined : 'has other rights than its attachments';
}

/** What an attachment is while nothing is under way. */
function statusOf({ status }: AttachmentState, isAttached: boolean): AttachmentStatus {
  if (!isAttached) return 'reserved';
  return status === 'attaching' || status === 'detaching' ? 'attached' : status;
}

/**
 * The record of a volume decides whether it is attached, those of its attachments by whom. Where none of an attached volume is left, it is
 * recorded as attached to an unknown instance, with the rights that it has.
 */
export async function repairAttachments({ store, lease }: AuditContext, volume: VolumeState): Promise<void> {
  const { id, status, attachStatus, attachments, attachMode, attachHosts } = volume;
  const { states, unreadable } = (await readAttachments(store, [volume])).get(id) ?? {
    states: [],
    unreadable: new Set<string>(),
  };
  const isAttached = attachStatus === 'attached';
  // A volume that has lost which ones it has has all that are of it.
  const kept = attachments.length === 0 && isAttached ? states : states.filter((one) => attachments.includes(one.id));
  const edits: Edit[] = states.flatMap((one): Edit[] => {
    if (!kept.includes(one)) return [removedAttachment(one.id)];
    const due = statusOf(one, isAttached);
    return due === one.status ? [] : [{ kind: 'attachment', id: one.id, set: { status: due } }];
  });
  const active = kept.filter((one) => isActive({ ...one, status: statusOf(one, isAttached) }));
  const ids = [...kept.map((one) => one.id), ...[...unreadable].filter((one) => attachments.includes(one))];
  const isLost = attachments.some((one) => !ids.includes(one));
  const beyond = isLost ? hostsBeyond(attachHosts, rightsOf(active).attachHosts) : undefined;
  const hosts = active.length === 0 ? attachHosts : beyond;
  const restored =
    isAttached && unreadable.size === 0 && hosts
      ? unknownAttachment({ ...volume, attachments: ids }, { readOnly: attachMode === 'ro', hosts })
      : undefined;
  const rights =
    isAttached && !restored && unreadable.size === 0
      ? rightsSet(rightsOf(active))
      : rightsSet({ attachMode, attachHosts });
  const fields = {
    ...rights,
    attachments: restored?.set['attachments'] ?? ids.join(','),
    ...(ids.length === 0 && status === 'reserved' ? { status: 'available' } : {}),
  };
  const outcome = await commit(store, {
    owner: lease.token,
    edits: [
      {
        kind: 'volume',
        id,
        expect: { ...stateOf(volume), attachments: attachments.join(',') },
        ...withoutEmpty(fields),
      },
      ...edits,
      ...(restored?.edits ?? []),
    ],
  });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, status, 'no other change at the same time');
}
