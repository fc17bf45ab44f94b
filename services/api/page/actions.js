import { newKey, send } from './api.js';
import { attachLine, createLine, deleteLine, detachLine, extendLine, snapshotLine } from './command-line.js';
import { openForm } from './form.js';

/** What can be done to volumes: each opens a form, and sends what it says. */

/** @typedef {import('./documents.js').Context} Context */
/** @typedef {import('./documents.js').Volume} Volume */
/** @typedef {import('./documents.js').Attachment} Attachment */

const maxGib = 1000;

/** @param {Volume} volume */
export function nameOf({ id, name }) {
  return name ?? id;
}

/**
 * @param {Volume} volume
 * @returns {{ id: string, name: string }}
 */
function watched(volume) {
  return { id: volume.id, name: nameOf(volume) };
}

const origins = [
  { value: '', label: 'empty', key: '' },
  { value: 'snapshot', label: 'a snapshot', key: 'snapshot_id' },
  { value: 'source', label: 'another volume', key: 'source_volid' },
  { value: 'image', label: 'an image', key: 'imageRef' },
  { value: 'backup', label: 'a backup', key: 'backup_id' },
];

/** @param {Context} context */
export function createVolume({ caller, changed }) {
  const key = newKey();
  openForm({
    title: 'Create a volume',
    action: 'Create',
    fields: [
      { name: 'size', label: 'Size in GiB', kind: 'number', value: '1', least: 1, most: maxGib, isRequired: true },
      { name: 'name', label: 'Name' },
      { name: 'description', label: 'Description' },
      { name: 'type', label: 'Type', hint: 'Its id or name; empty: any backend with free space' },
      { name: 'zone', label: 'Availability zone' },
      { name: 'origin', label: 'First data', kind: 'select', options: origins },
      { name: 'source', label: 'Id of what the first data are of' },
      { name: 'multiattach', label: 'Several hosts can have it at once', kind: 'checkbox' },
    ],
    command: (values) => createLine(values, caller),
    async submit(values) {
      const { size, name = '', description, type, zone, origin, source, multiattach } = values;
      const from = origins.find(({ value }) => value === origin)?.key ?? '';
      const volume = {
        size: Number(size),
        ...given('name', name),
        ...given('description', description),
        ...given('volume_type', type),
        ...given('availability_zone', zone),
        ...(from === '' ? {} : given(from, source)),
        ...(multiattach === '' ? {} : { multiattach: true }),
      };
      const answer = await send('POST', '/volumes', { volume }, key);
      changed(`Volume ${name || answer.volume.id} is being created`, {
        id: answer.volume.id,
        name: name || answer.volume.id,
      });
    },
  });
}

/**
 * @param {string} key
 * @param {string | undefined} value
 */
function given(key, value = '') {
  return value === '' ? {} : { [key]: value };
}

/**
 * @param {Context} context
 * @param {Volume} volume
 */
export function attachVolume({ changed }, volume) {
  openForm({
    title: `Attach ${nameOf(volume)}`,
    action: 'Attach',
    fields: [
      { name: 'instance', label: 'Instance', isRequired: true, hint: 'Its id' },
      { name: 'host', label: 'Host of the instance' },
      { name: 'device', label: 'Device in the instance', isRequired: true, hint: 'Such as /dev/vdb' },
      {
        name: 'access',
        label: 'Who may use the export',
        kind: 'select',
        options: [
          { value: '', label: 'every host' },
          { value: 'initiator', label: 'an iSCSI initiator' },
          { value: 'nqn', label: 'an NVMe host' },
        ],
      },
      { name: 'hosts', label: 'Its initiator name or NQN' },
      { name: 'readonly', label: 'Read-only', kind: 'checkbox' },
    ],
    command: (values) => attachLine(volume.id, values),
    async submit({ instance, host = '', device = '', access, hosts, readonly }) {
      const mode = readonly === '' ? 'rw' : 'ro';
      if (access === '') {
        const body = { instance_uuid: instance, mountpoint: device, host_name: host, mode };
        await send('POST', `/volumes/${volume.id}/action`, { 'os-attach': body });
      } else {
        const connector = { ...given('host', host), ...given('mountpoint', device), ...given(access ?? '', hosts) };
        const attachment = { volume_uuid: volume.id, instance_uuid: instance, mode, connector };
        const answer = await send('POST', '/attachments', { attachment });
        await send('POST', `/attachments/${answer.attachment.id}/action`, { 'os-complete': null });
      }
      changed(`Volume ${nameOf(volume)} is being attached`, watched(volume));
    },
  });
}

/**
 * @param {Context} context
 * @param {Volume} volume
 * @param {Attachment} attachment
 */
export function detachVolume({ changed }, volume, attachment) {
  const instance = attachment.server_id;
  openForm({
    title: `Detach ${nameOf(volume)}`,
    text: `From instance ${instance ?? 'unknown'}. Its guest must not use the volume any more.`,
    action: 'Detach',
    fields: [],
    command: () => detachLine(volume.id, instance),
    async submit() {
      await send('POST', `/volumes/${volume.id}/action`, { 'os-detach': { attachment_id: attachment.attachment_id } });
      changed(`Volume ${nameOf(volume)} is being detached`, watched(volume));
    },
  });
}

/**
 * @param {Context} context
 * @param {Volume} volume
 */
export function extendVolume({ changed }, volume) {
  const least = volume.size + 1;
  openForm({
    title: `Extend ${nameOf(volume)}`,
    text: `It has ${volume.size} GiB.`,
    action: 'Extend',
    fields: [
      {
        name: 'size',
        label: 'New size in GiB',
        kind: 'number',
        value: String(least),
        least,
        most: maxGib,
        isRequired: true,
      },
    ],
    command: (values) => extendLine(volume.id, values),
    async submit({ size }) {
      await send('POST', `/volumes/${volume.id}/action`, { 'os-extend': { new_size: Number(size) } });
      changed(`Volume ${nameOf(volume)} is being extended`, watched(volume));
    },
  });
}

/**
 * @param {Context} context
 * @param {Volume} volume
 */
export function takeSnapshot({ changed }, volume) {
  const key = newKey();
  const isAttached = volume.attachments.length > 0;
  openForm({
    title: `Take a snapshot of ${nameOf(volume)}`,
    ...(isAttached
      ? { text: 'The volume is attached: what its host has not written yet is not in the snapshot.' }
      : {}),
    action: 'Take the snapshot',
    fields: [{ name: 'name', label: 'Name' }],
    command: (values) => snapshotLine(volume.id, values, isAttached),
    async submit({ name }) {
      const snapshot = { volume_id: volume.id, ...given('name', name) };
      await send('POST', '/snapshots', { snapshot }, key);
      changed(`A snapshot of ${nameOf(volume)} is being taken`, watched(volume));
    },
  });
}

/**
 * @param {Context} context
 * @param {Volume} volume
 */
export function deleteVolume({ changed }, volume) {
  openForm({
    title: `Delete ${nameOf(volume)}`,
    text: `The volume of ${volume.size} GiB and its data are deleted. This cannot be undone.`,
    action: 'Delete the volume',
    isDangerous: true,
    fields: [{ name: 'cascade', label: 'Delete its snapshots as well', kind: 'checkbox' }],
    command: (values) => deleteLine(volume.id, values),
    async submit({ cascade }) {
      await send('DELETE', `/volumes/${volume.id}${cascade === '' ? '' : '?cascade=True'}`);
      changed(`Volume ${nameOf(volume)} is being deleted`, watched(volume));
    },
  });
}
