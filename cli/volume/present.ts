import { sourceName } from '../../lib/models/restore-source.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { attachmentJson, useFacts } from '../attachment/present.ts';
import { faultFacts, faultJson } from '../fault.ts';
import { limitsJson, limitsText } from '../type/present.ts';
import { duration, isoTime, metadataText, timeAgo, volumeSize, volumeSizeBytes } from '../format.ts';
import type { Style } from '../output.ts';
import type { Column } from '../table.ts';
import type { HostedVolume } from './host.ts';

/** The task and attachments are shown in another form; the secret of an attachment is never shown. */
const hidden = new Set([
  'isSent',
  'taskText',
  'announcedText',
  'chap',
  'transferExpires',
  'uses',
  'deletesSnapshots',
  'leftSnapshots',
  'attachment',
  'attachMode',
  'attachHosts',
]);

/** Returns a record in the form of --json: all fields are present, null when unset; times are ISO 8601. */
export function volumeJson({ createTime, restoreTime, restoredTime, fault, task, ...rest }: HostedVolume): object {
  const shown = Object.entries(rest).filter(([name]) => !hidden.has(name));
  const plain = shown.map(([name, value]) => [name, value === '' || value === undefined ? null : value]);
  return {
    ...Object.fromEntries(plain),
    sizeBytes: volumeSizeBytes(rest.size),
    task: task === undefined ? null : task.kind,
    createTime: isoTime(createTime),
    attachments: rest.uses.map(attachmentJson),
    limits: limitsJson(rest.limits),
    restoreTime: timeOrNull(restoreTime),
    restoredTime: timeOrNull(restoredTime),
    fault: faultJson(fault),
  };
}

export const volumeColumns: readonly Column<HostedVolume>[] = [
  { title: 'ID', text: (volume) => volume.id },
  { title: 'NAME', text: (volume) => volume.name, maxWidth: 32 },
  { title: 'SIZE', text: (volume) => volumeSize(volume.size), right: true },
  { title: 'STATUS', text: statusText, style: statusStyle },
  { title: 'HOST', text: (volume) => volume.host, maxWidth: 32 },
  { title: 'ADDRESS', text: (volume) => volume.address, maxWidth: 32 },
  { title: 'ATTACHED TO', text: attachedText, maxWidth: 32 },
  { title: 'AGE', text: (volume) => duration(Date.now() - volume.createTime), right: true },
];

export function volumeFacts(volume: HostedVolume): [string, string][] {
  return [
    ['id', volume.id],
    ['name', volume.name],
    ['size', sizeText(volume)],
    ['status', statusText(volume)],
    ['attach status', volume.attachStatus],
    ...faultFacts(volume.fault),
    ['host', volume.host],
    ['zone', volume.availabilityZone],
    ['address', volume.address],
    ['retried step', volume.attempts === 0 ? '' : `${volume.step}, failed ${volume.attempts} times`],
    ...volume.uses.flatMap(useFacts),
    ['made from', originText(volume)],
    ['restored from', restoreText(volume)],
    ['type', volume.type],
    ['group', volume.group],
    ['limits', limitsText(volume.limits)],
    ['description', volume.description],
    ['flags', flagsText(volume)],
    ['encryption key', volume.encryptionKey],
    ['metadata', metadataText(volume)],
    ['transfer', volume.transfer],
    ['migrates to', volume.destination],
    ['user', volume.userId],
    ['project', volume.projectId],
    ['created', timeAgo(volume.createTime)],
  ];
}

function attachedText({ uses }: HostedVolume): string {
  return uses.map(({ instanceId, hostName }) => instanceId || hostName).join(', ');
}

function timeOrNull(time: number | undefined): string | null {
  return time === undefined ? null : isoTime(time);
}

function originText({ fromSnapshot, fromVolume, fromImage, fromBackup, isCopying }: VolumeState): string {
  const origins = [
    ['snapshot', fromSnapshot],
    ['volume', fromVolume],
    ['image', fromImage],
    ['backup', fromBackup],
  ];
  const [kind = '', id = ''] = origins.find(([, value]) => value !== '') ?? [];
  return `${kind} ${id}${isCopying ? ', being copied' : ''}`.trim();
}

function restoreText({ status, restoreFrom }: VolumeState): string {
  if (!restoreFrom) return '';
  return `${sourceName(restoreFrom)}, ${status === 'restoring' ? 'being copied' : 'in part'}`;
}

function flagsText({ isBootable, isReadOnly, isMultiattach, deleteOnTermination }: VolumeState): string {
  const flags = {
    bootable: isBootable,
    'read-only': isReadOnly,
    multiattach: isMultiattach,
    'deleted with its instance': deleteOnTermination,
  };
  return Object.entries(flags)
    .flatMap(([name, isSet]) => (isSet ? [name] : []))
    .join(', ');
}

function sizeText({ size, newSize }: VolumeState): string {
  return newSize === undefined ? volumeSize(size) : `${volumeSize(size)}, growing to ${volumeSize(newSize)}`;
}

function statusText({ status, attachStatus, progress, fault }: VolumeState): string {
  if (fault?.code === 'NodeLost') return `${status} (node lost)`;
  const transitional = attachStatus === 'attaching' || attachStatus === 'detaching' ? ` (${attachStatus})` : '';
  return `${status}${transitional}${progress === undefined ? '' : ` ${progress} %`}`;
}

const underWay: ReadonlySet<string> = new Set([
  'creating',
  'deleting',
  'extending',
  'transferring',
  'migrating',
  'restoring',
]);

function statusStyle({ status }: VolumeState): Style | undefined {
  if (status.startsWith('error')) return 'red';
  return underWay.has(status) ? 'yellow' : undefined;
}
