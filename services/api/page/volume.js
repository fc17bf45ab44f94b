import { attachVolume, deleteVolume, detachVolume, extendVolume, nameOf, takeSnapshot } from './actions.js';
import { ApiError, get } from './api.js';
import { Table, button, element, fill } from './dom.js';
import { eventsTable } from './events-table.js';
import { statusOf, timeOf, volumeSize } from './format.js';
import { progressOf } from './overview.js';

/** @typedef {import('./documents.js').Volume} Volume */
/** @typedef {import('./documents.js').Operation} Operation */
/** @typedef {import('./documents.js').Snapshot} Snapshot */

/**
 * A volume: what it is, what it is doing, and its history.
 * @param {import('./documents.js').Context} context
 * @returns {import('./documents.js').View}
 */
export function volumeView(context) {
  const [id = ''] = context.parts;
  const state = element('div', { class: 'state' });
  const actions = element('div', { class: 'buttons' });
  const facts = element('dl', { class: 'facts' });
  const attachments = attachmentsTable(context, () => current);
  const snapshots = snapshotsTable();
  const history = eventsTable('History of the volume, the newest first', { isOfVolume: true });
  /** @type {Volume | undefined} */
  let current;
  let shownActions = '';
  let isHistoryShown = false;
  /** @param {readonly import('./documents.js').ClusterEvent[]} since */
  const update = async (since) => {
    // A long history takes longer to read than all else.
    if (!isHistoryShown || since.some((event) => event.volume_id === id)) {
      const happened = await get(`/blockstore/events?volume_id=${id}&limit=50`);
      history.update(happened.events);
      isHistoryShown = happened.events.length > 0;
    }
    const [volume, { operation }, taken] = await Promise.all([
      get(`/volumes/${id}`).then((answer) => answer.volume),
      get(`/blockstore/operations/${id}`),
      get(`/snapshots/detail?volume_id=${id}&limit=50`),
    ]).catch(ofDeleted);
    current = volume;
    for (const { content } of [attachments, snapshots]) content.hidden = !volume;
    if (!volume) {
      fill(state, element('p', {}, 'The volume does not exist any more.'));
      for (const part of [actions, facts]) fill(part);
      return;
    }
    document.title = `${nameOf(volume)} – blockstore`;
    fill(state, ...stateOf(volume, operation));
    fill(facts, ...factsOf(volume, operation));
    attachments.update(volume.attachments);
    snapshots.update(taken.snapshots);
    const possible = context.canChange ? possibleActions(volume) : [];
    if (possible.join() !== shownActions) fill(actions, ...possible.map(buttonFor));
    shownActions = possible.join();
  };
  /**
   * One that has a history existed.
   * @param {unknown} error
   * @returns {[undefined, { operation: undefined }, { snapshots: never[] }]}
   */
  const ofDeleted = (error) => {
    if (error instanceof ApiError && error.status === 404 && isHistoryShown)
      return [undefined, { operation: undefined }, { snapshots: [] }];
    throw error;
  };
  /** @param {Action} action */
  const buttonFor = (action) =>
    button(labels[action], () => current && run[action](context, current), {
      class: action === 'delete' ? 'danger' : null,
    });
  return {
    title: 'Volume',
    content: [state, actions, facts, attachments.content, snapshots.content, history.content],
    update,
  };
}

/** @typedef {'attach' | 'extend' | 'snapshot' | 'delete'} Action */

/** @type {Record<Action, string>} */
const labels = { attach: 'Attach', extend: 'Extend', snapshot: 'Take a snapshot', delete: 'Delete' };
/** @type {Record<Action, (context: import('./documents.js').Context, volume: Volume) => void>} */
const run = { attach: attachVolume, extend: extendVolume, snapshot: takeSnapshot, delete: deleteVolume };

/**
 * Returns what the volume can be asked for now.
 * @param {Volume} volume
 * @returns {Action[]}
 */
function possibleActions({ status, multiattach }) {
  const isFree = status === 'available';
  const isUsed = status === 'in-use';
  return [
    ...(isFree || (isUsed && multiattach) ? /** @type {const} */ (['attach']) : []),
    ...(isFree || isUsed ? /** @type {const} */ (['extend', 'snapshot']) : []),
    ...(isFree || status.startsWith('error') ? /** @type {const} */ (['delete']) : []),
  ];
}

/**
 * @param {Volume} volume
 * @param {Operation} operation
 */
function stateOf(volume, operation) {
  const { fault, task } = operation;
  return [
    element('h2', {}, nameOf(volume)),
    element(
      'p',
      {},
      statusOf(volume.status),
      task !== null && element('span', { class: 'note' }, ` ${task}: `, ...progressOf(operation).filter(isShown)),
    ),
    fault !== null &&
      element(
        'div',
        { class: 'fault' },
        element('p', { class: 'problem' }, fault.message),
        fault.hint !== null && element('p', { class: 'hint' }, fault.hint),
      ),
  ];
}

/** @param {import('./dom.js').Child} child */
function isShown(child) {
  return child !== false;
}

/**
 * @param {Volume} volume
 * @param {Operation} operation
 */
function factsOf(volume, { address }) {
  const origin = volume.snapshot_id === null ? volume.source_volid : `snapshot ${volume.snapshot_id}`;
  const flags = [
    volume.bootable === 'true' && 'bootable',
    volume.encrypted && 'encrypted',
    volume.multiattach && 'multiattach',
  ];
  const metadata = Object.entries(volume.metadata).map(([key, value]) => `${key}=${value}`);
  /** @type {[string, import('./dom.js').Child][]} */
  const facts = [
    ['Id', volume.id],
    ['Size', volumeSize(volume.size)],
    ['Description', volume.description],
    ['Type', volume.volume_type],
    ['Place', volume['os-vol-host-attr:host']],
    ['Address', address],
    ['Zone', volume.availability_zone],
    ['Made from', origin],
    ['Flags', flags.filter((flag) => flag !== false).join(', ')],
    ['Metadata', metadata.join(', ')],
    ['User', volume.user_id],
    ['Project', volume['os-vol-tenant-attr:tenant_id']],
    ['Created', timeOf(volume.created_at)],
  ];
  return facts.flatMap(([name, value]) =>
    value === null || value === undefined || value === ''
      ? []
      : [element('div', {}, element('dt', {}, name), element('dd', {}, value))],
  );
}

/**
 * @param {import('./documents.js').Context} context
 * @param {() => Volume | undefined} volumeNow
 * @returns {Table<import('./documents.js').Attachment>}
 */
function attachmentsTable(context, volumeNow) {
  return new Table({
    caption: 'Attachments',
    keyOf: ({ attachment_id: id }) => id,
    none: 'Attached to nothing.',
    columns: [
      { title: 'Instance', cell: ({ server_id: id }) => id ?? 'unknown' },
      { title: 'Host', cell: ({ host_name: host }) => host ?? '–' },
      { title: 'Device', cell: ({ device }) => device ?? '–' },
      { title: 'Since', cell: ({ attached_at: time }) => timeOf(time), kind: 'wide' },
      {
        title: 'Action',
        cell: (attachment) =>
          context.canChange &&
          button(
            'Detach',
            () => {
              const volume = volumeNow();
              if (volume) detachVolume(context, volume, attachment);
            },
            { 'data-focus': 'detach', 'aria-label': `Detach from ${attachment.server_id ?? 'the unknown instance'}` },
          ),
      },
    ],
  });
}

/** @returns {Table<Snapshot>} */
function snapshotsTable() {
  return new Table({
    caption: 'Snapshots',
    keyOf: ({ id }) => id,
    none: 'No snapshots.',
    columns: [
      { title: 'Name', cell: ({ id, name }) => name ?? id },
      { title: 'Status', cell: ({ status }) => statusOf(status) },
      { title: 'Size', cell: ({ size }) => volumeSize(size), kind: 'number' },
      { title: 'Created', cell: ({ created_at: time }) => timeOf(time), kind: 'wide' },
    ],
  });
}
