import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import type { GroupSnapshotState } from '../../lib/models/group-snapshot-state.ts';
import { groupSnapshotsOf } from '../../lib/models/group-snapshot.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { disagreements } from '../support/agreement.ts';
import type { Place, Sight } from './place.ts';

/** The state of a place. */
export interface Outcome {
  /** Differences. */
  problems: readonly string[];
  /** Records and storage, a line each, with real ids. */
  lines: readonly string[];
  exporters: Sight['exporters'];
}

export async function outcomeAt(place: Place): Promise<Outcome> {
  const sight = await place.look();
  const records = await Array.fromAsync(volumesOf(place.store).iterate(place.store.keys.volumes()));
  const snapshots = await Array.fromAsync(snapshotsOf(place.store).iterate(place.store.keys.snapshots()));
  const { keys } = place.store;
  const ofGroups = await Array.fromAsync(groupSnapshotsOf(place.store).iterate(keys.groupSnapshots()));
  const recorded = [...records, ...snapshots, ...ofGroups];
  const problems = await disagreements(place.store, [withoutStrays(sight, recorded)]);
  const attachments = await Array.fromAsync(attachmentsOf(place.store).iterate(place.store.keys.attachments()));
  const lines = [
    ...ofGroups.map(groupSnapshotLine),
    ...records.map(recordLine),
    ...snapshots.map(snapshotLine),
    ...attachments.map(attachmentLine),
    ...sight.lines,
  ];
  return { problems, lines, exporters: sight.exporters };
}

/** Returns files of missing volumes, and incomplete ones. */
function withoutStrays(sight: Sight, records: readonly { id: string }[]) {
  const ids = new Set(records.map(({ id }) => id));
  // Images have no records; what is left of them is compared with what a run without a crash leaves.
  const isOfImage = (line: string) => /^(image|backup) |^file .*image-cache/.test(line);
  const isStray = (line: string) =>
    /^file .*\.new$/.test(line) || (line.match(uuids) ?? []).some((id) => !ids.has(id)) || line.startsWith('process ');
  return { ...sight.storage, leftovers: sight.lines.filter((line) => !isOfImage(line) && isStray(line)) };
}

const uuids = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Removes what differs between runs: times, secrets, and the text of a fault, which contains ids. */
function recordLine(volume: VolumeState): string {
  const { createTime, restoreTime, restoredTime, fault, chap, attachments, attachment, ...record } = volume;
  const { code, step } = fault ?? {};
  const has = {
    created: createTime > 0,
    restoring: restoreTime !== undefined,
    restored: restoredTime !== undefined,
    secret: chap !== undefined,
    attachments: attachments.length,
    attachment: attachment !== '',
  };
  // LeftHand's is recorded with the first attachment, or by a creation that finds the volume.
  const isEarly = record.backend === 'lefthand' && record.attachStatus === 'detached';
  return `record ${JSON.stringify({ ...record, ...(isEarly ? { address: '' } : {}), ...has, code, step })}`;
}

/** Their ids are new in each run. */
function attachmentLine({ createTime, attachTime, ...record }: AttachmentState): string {
  const has = { id: '', created: createTime > 0, attached: attachTime !== undefined };
  return `attachment ${JSON.stringify({ ...record, ...has })}`;
}

function snapshotLine({ createTime, fault, ...record }: SnapshotState): string {
  return `snapshot ${JSON.stringify({ ...record, created: createTime > 0, code: fault?.code })}`;
}

function groupSnapshotLine({ createTime, fault, ...record }: GroupSnapshotState): string {
  return `group snapshot ${JSON.stringify({ ...record, created: createTime > 0, code: fault?.code })}`;
}

/** Addresses in records, labels, tags and arguments of vblade. */
const addresses = /"address":"e[\d.]+"|blockstore:address=e[\d.]+|(?<=^export .*)\d+ \d+ (?=\S+ \S+$)/g;

const recordedAddress = /^record .*?"id":"([^"]+)".*?"address":"(e[\d.]+)"/g;

/** Whether that is the address: of vblade it has the two numbers. */
function isOf(text: string, address: string | undefined): boolean {
  const [shelf, slot] = text.match(/\d+/g) ?? [];
  return `e${shelf}.${slot}` === address;
}

/** Times in labels and tags. */
const times = /"(?:created|restored)":"\d+"|blockstore:(?:created|restored)=\d+/g;

/**
 * Lines with the parts of volumes in place of their ids, in an order that depends on nothing else, and with `own` in place of the
 * address that a volume's record has: a volume made anew can get another one. Volumes that are made side by side have their
 * addresses in any order: then without these.
 */
export function withVolumeParts(
  lines: readonly string[],
  parts: ReadonlyMap<string, string>,
  anyAddress: boolean,
): string[] {
  const timeless = lines.map((line) => line.replaceAll(times, ''));
  const recorded = new Map(
    timeless.flatMap((line) => [...line.matchAll(recordedAddress)].map(([, id, address]) => [id, address])),
  );
  const owned = (line: string) => {
    const [id] = line.match(uuids) ?? [];
    const address = recorded.get(id);
    return line.replaceAll(addresses, (text) => (isOf(text, address) ? 'own' : text));
  };
  const plain = timeless.map((line) => (anyAddress ? line.replaceAll(addresses, '') : owned(line)));
  return plain.map((line) => line.replaceAll(uuids, (id) => parts.get(id) ?? id)).toSorted();
}

/** Returns the differences from the expected lines. */
export function differences(expected: readonly string[], there: readonly string[]): string[] {
  return [
    ...expected.filter((line) => !there.includes(line)).map((line) => `missing: ${line}`),
    ...there.filter((line) => !expected.includes(line)).map((line) => `too much: ${line}`),
  ];
}
