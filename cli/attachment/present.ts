import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { faultFacts, faultJson } from '../fault.ts';
import { duration, isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: all fields are present, null when unset; times are ISO 8601. */
export function attachmentJson(attachment: AttachmentState): object {
  const { createTime, reserveTime, attachTime, completeTime, fault, ...rest } = attachment;
  const plain = Object.entries(rest).map(([name, value]) => [name, value === '' ? null : value]);
  return {
    ...Object.fromEntries(plain),
    createTime: isoTime(createTime),
    reserveTime: timeOrNull(reserveTime),
    attachTime: timeOrNull(attachTime),
    completeTime: timeOrNull(completeTime),
    fault: faultJson(fault),
  };
}

function timeOrNull(time: number | undefined): string | null {
  return time === undefined ? null : isoTime(time);
}

export const attachmentColumns: readonly Column<AttachmentState>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'VOLUME', text: ({ volume }) => volume },
  { title: 'STATUS', text: ({ status }) => status },
  { title: 'INSTANCE', text: ({ instanceId }) => instanceId, maxWidth: 32 },
  { title: 'HOST', text: ({ hostName }) => hostName, maxWidth: 32 },
  { title: 'DEVICE', text: ({ mountpoint }) => mountpoint, maxWidth: 32 },
  { title: 'MODE', text: ({ mode }) => mode },
  { title: 'AGE', text: ({ createTime }) => duration(Date.now() - createTime), right: true },
];

/** What `volume show` says of an attachment. */
export function useFacts(use: AttachmentState): [string, string][] {
  const { attachTime, fault } = use;
  return [
    ['instance', use.status === 'reserved' ? `${use.instanceId} (reserved)`.trim() : use.instanceId],
    ['attachment', use.id],
    ['attachment fault', fault?.message ?? ''],
    ['attached host', use.hostName],
    ['libvirt domain', use.domain],
    ['libvirt connection', use.libvirtUri],
    ['mount point', use.mountpoint],
    ['mode', use.mode],
    ['allowed addresses', use.hosts.join(', ')],
    ['attached', attachTime === undefined ? '' : timeAgo(attachTime)],
  ];
}

export function attachmentFacts(attachment: AttachmentState): [string, string][] {
  return [
    ['id', attachment.id],
    ['volume', attachment.volume],
    ['status', attachment.status],
    ...faultFacts(attachment.fault),
    ...useFacts(attachment).filter(([name]) => !name.startsWith('attachment')),
    ['project', attachment.projectId],
    ['created', timeAgo(attachment.createTime)],
  ];
}
