import type { TransferState } from '../../lib/models/transfer-state.ts';
import { duration, isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: without what it has of the key. */
export function transferJson({
  id,
  name,
  volume,
  projectId,
  withSnapshots,
  createTime,
  expires,
}: TransferState): object {
  return {
    id,
    name: name || null,
    volume,
    projectId,
    withSnapshots,
    createTime: isoTime(createTime),
    expires: isoTime(expires),
  };
}

export const transferColumns: readonly Column<TransferState>[] = [
  { title: 'ID', text: (transfer) => transfer.id },
  { title: 'NAME', text: (transfer) => transfer.name, maxWidth: 32 },
  { title: 'VOLUME', text: (transfer) => transfer.volume },
  { title: 'PROJECT', text: (transfer) => transfer.projectId, maxWidth: 32 },
  { title: 'SNAPSHOTS', text: snapshotsText },
  { title: 'EXPIRES', text: expiryText, right: true },
];

export function transferFacts(transfer: TransferState): [string, string][] {
  return [
    ['id', transfer.id],
    ['name', transfer.name],
    ['volume', transfer.volume],
    ['project', transfer.projectId],
    ['snapshots', snapshotsText(transfer)],
    ['expires', `${isoTime(transfer.expires)} (${expiryText(transfer)})`],
    ['created', timeAgo(transfer.createTime)],
  ];
}

function snapshotsText({ withSnapshots }: TransferState): string {
  return withSnapshots ? 'go along' : 'stay';
}

function expiryText({ expires }: TransferState): string {
  const leftMs = expires - Date.now();
  return leftMs <= 0 ? 'expired' : `in ${duration(leftMs)}`;
}
