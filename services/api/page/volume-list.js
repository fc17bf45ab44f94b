import { createVolume } from './actions.js';
import { get } from './api.js';
import { Table, button, element, fill } from './dom.js';
import { statusOf, timeOf, volumeSize } from './format.js';

const pageSize = 25;
const typingMs = 300;
const idForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const statuses = [
  'available',
  'in-use',
  'reserved',
  'creating',
  'deleting',
  'attaching',
  'detaching',
  'extending',
  'maintenance',
  'error',
  'error_deleting',
];

/** @typedef {import('./documents.js').Volume} Volume */

/**
 * @param {import('./documents.js').Context} context
 * @returns {import('./documents.js').View}
 */
export function volumeList(context) {
  const { isAdministrator, query } = context;
  const name = element('input', {
    id: 'search',
    type: 'search',
    value: query.get('name') ?? '',
    autocomplete: 'off',
    maxlength: 255,
  });
  const asked = query.get('status') ?? '';
  const choices = [...new Set([...statuses, ...(asked === '' ? [] : [asked])])];
  const status = element(
    'select',
    { id: 'status' },
    element('option', { value: '' }, 'every status'),
    ...choices.map((one) => element('option', { value: one, selected: one === asked }, one)),
  );
  const all = element('input', { id: 'all', type: 'checkbox', checked: query.get('project') !== 'own' });
  const table = volumesTable(isAdministrator);
  const pages = element('nav', { 'aria-label': 'Pages of volumes', class: 'pager' });
  const search = element(
    'form',
    { role: 'search', class: 'search' },
    element('label', { for: 'search' }, 'Name or id'),
    name,
    element('label', { for: 'status' }, 'Status'),
    status,
    isAdministrator && element('span', { class: 'check' }, all, element('label', { for: 'all' }, 'Of all projects')),
  );
  let marker = query.get('marker') ?? '';
  /** @param {string} [next] */
  const address = (next = '') => {
    const asks = new URLSearchParams();
    if (name.value.trim() !== '') asks.set('name', name.value.trim());
    if (status.value !== '') asks.set('status', status.value);
    if (isAdministrator && !all.checked) asks.set('project', 'own');
    if (next !== '') asks.set('marker', next);
    return asks.size === 0 ? '#/volumes' : `#/volumes?${asks.toString()}`;
  };
  const update = async () => {
    const asks = new URLSearchParams({ limit: String(pageSize + 1) });
    const text = name.value.trim();
    if (text !== '') asks.set('name~', text);
    if (status.value !== '') asks.set('status', status.value);
    if (isAdministrator && all.checked) asks.set('all_tenants', '1');
    if (marker !== '') asks.set('marker', marker);
    const answer = await get(`/volumes/detail?${asks.toString()}`);
    /** @type {Volume[]} */
    const volumes = answer.volumes;
    const shown = volumes.slice(0, pageSize);
    table.update(shown);
    const next = volumes.length > pageSize ? shown.at(-1)?.id : undefined;
    fill(
      pages,
      marker !== '' && element('a', { href: address() }, 'First page'),
      next !== undefined && element('a', { href: address(next) }, 'Next page'),
    );
    pages.hidden = marker === '' && next === undefined;
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const changed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const text = name.value.trim();
      if (idForm.test(text)) {
        location.hash = `#/volumes/${text.toLowerCase()}`;
        return;
      }
      marker = '';
      history.replaceState(null, '', address());
      context.refresh();
    }, typingMs);
  };
  search.addEventListener('input', changed);
  search.addEventListener('submit', (event) => {
    event.preventDefault();
    changed();
  });
  return {
    title: 'Volumes',
    content: [
      element(
        'div',
        { class: 'toolbar' },
        search,
        context.canChange && button('Create a volume', () => createVolume(context), { class: 'primary' }),
      ),
      table.content,
      pages,
    ],
    update,
  };
}

/**
 * @param {boolean} isAdministrator
 * @returns {Table<Volume>}
 */
function volumesTable(isAdministrator) {
  /** @type {{ title: string, cell: (volume: Volume) => import('./dom.js').Child, kind?: 'wide' | 'number' }[]} */
  const columns = [
    {
      title: 'Name',
      cell: ({ id, name }) => element('a', { href: `#/volumes/${id}`, 'data-focus': 'name' }, name ?? id),
    },
    { title: 'Status', cell: ({ status }) => statusOf(status) },
    { title: 'Size', cell: ({ size }) => volumeSize(size), kind: 'number' },
    { title: 'Attached to', cell: attachedTo, kind: 'wide' },
    ...(isAdministrator
      ? [
          {
            title: 'Place',
            cell: (/** @type {Volume} */ volume) => volume['os-vol-host-attr:host'] ?? '–',
            kind: /** @type {const} */ ('wide'),
          },
          {
            title: 'Project',
            cell: (/** @type {Volume} */ volume) => volume['os-vol-tenant-attr:tenant_id'],
            kind: /** @type {const} */ ('wide'),
          },
        ]
      : []),
    { title: 'Created', cell: ({ created_at: time }) => timeOf(time), kind: 'wide' },
  ];
  return new Table({ caption: 'Volumes, the newest first', columns, keyOf: ({ id }) => id, none: 'No volumes.' });
}

/** @param {Volume} volume */
export function attachedTo({ attachments }) {
  return attachments.map((one) => one.server_id ?? one.host_name ?? 'unknown').join(', ') || '–';
}
