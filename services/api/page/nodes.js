import { get } from './api.js';
import { Table, element, fill } from './dom.js';
import { ago, byteSize, plural, statusOf, timeOf } from './format.js';

/** @typedef {import('./documents.js').StorageNode} StorageNode */

const pageSize = 25;
const typingMs = 300;

/**
 * @param {import('./documents.js').Context} context
 * @returns {import('./documents.js').View}
 */
export function nodeList({ query, refresh }) {
  const name = element('input', {
    id: 'search',
    type: 'search',
    value: query.get('name') ?? '',
    autocomplete: 'off',
    maxlength: 255,
  });
  const search = element(
    'form',
    { role: 'search', class: 'search' },
    element('label', { for: 'search' }, 'Name'),
    name,
  );
  const pages = element('nav', { 'aria-label': 'Pages of nodes', class: 'pager' });
  const table = nodesTable();
  let marker = query.get('marker') ?? '';
  /** @param {string} [next] */
  const address = (next = '') => {
    const asks = new URLSearchParams();
    if (name.value.trim() !== '') asks.set('name', name.value.trim());
    if (next !== '') asks.set('marker', next);
    return asks.size === 0 ? '#/nodes' : `#/nodes?${asks.toString()}`;
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const changed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      marker = '';
      history.replaceState(null, '', address());
      refresh();
    }, typingMs);
  };
  search.addEventListener('input', changed);
  search.addEventListener('submit', (event) => {
    event.preventDefault();
    changed();
  });
  return {
    title: 'Nodes',
    content: [element('div', { class: 'toolbar' }, search), table.content, pages],
    async update() {
      const asks = new URLSearchParams({ limit: String(pageSize) });
      if (name.value.trim() !== '') asks.set('name~', name.value.trim());
      if (marker !== '') asks.set('marker', marker);
      const { nodes, nodes_links: links = [] } = await get(`/blockstore/nodes?${asks.toString()}`);
      table.update(nodes);
      fill(
        pages,
        marker !== '' && element('a', { href: address() }, 'First page'),
        links.length > 0 && element('a', { href: address(nodes.at(-1)?.name) }, 'Next page'),
      );
      pages.hidden = marker === '' && links.length === 0;
    },
  };
}

/** @returns {Table<StorageNode>} */
function nodesTable() {
  return new Table({
    caption: 'Storage nodes, by name',
    keyOf: ({ name }) => name,
    none: 'No nodes: start blockstored on a storage node.',
    columns: [
      {
        title: 'Name',
        cell: ({ name }) => element('a', { href: `#/nodes/${encodeURIComponent(name)}`, 'data-focus': 'name' }, name),
      },
      { title: 'State', cell: stateOf },
      { title: 'Zone', cell: ({ availability_zone: zone }) => zone, kind: 'wide' },
      { title: 'Backends', cell: ({ backends }) => backends.map(({ name }) => name).join(', '), kind: 'wide' },
      {
        title: 'Free',
        cell: ({ free_bytes: free, total_bytes: total }) => `${byteSize(free)} of ${byteSize(total)}`,
        kind: 'number',
      },
      { title: 'Volumes', cell: ({ volumes }) => volumes, kind: 'number' },
      { title: 'Last seen', cell: ({ last_seen_at: time }) => ago(time), kind: 'wide' },
    ],
  });
}

/** @param {StorageNode} node */
function stateOf({ state, closed, problems }) {
  const count = problems.length > 0 && element('span', { class: 'problem' }, ` ${plural(problems.length, 'problem')}`);
  return [statusOf(state), closed && ' closed', count];
}

/**
 * A node with its backends.
 * @param {import('./documents.js').Context} context
 * @returns {import('./documents.js').View}
 */
export function nodeView({ parts }) {
  const [name = ''] = parts;
  const state = element('p');
  const problems = element('ul', { class: 'problems' });
  const facts = element('dl', { class: 'facts' });
  const backends = backendsTable();
  return {
    title: `Node ${name}`,
    content: [state, problems, facts, backends.content],
    async update() {
      const answer = await get(`/blockstore/nodes/${encodeURIComponent(name)}`);
      /** @type {StorageNode} */
      const node = answer.node;
      fill(state, statusOf(node.state), node.closed && ' closed: it takes no further volumes');
      fill(problems, ...node.problems.map((one) => element('li', {}, element('span', { class: 'problem' }, one))));
      problems.hidden = node.problems.length === 0;
      /** @type {[string, import('./dom.js').Child][]} */
      const rows = [
        ['Zone', node.availability_zone],
        ['Version', node.version],
        ['Volumes', node.volumes],
        ['Under way', node.under_way],
        ['Free', `${byteSize(node.free_bytes)} of ${byteSize(node.total_bytes)}`],
        ['Started', timeOf(node.started_at)],
        ['Last seen', ago(node.last_seen_at)],
      ];
      fill(
        facts,
        ...rows.map(([title, value]) => element('div', {}, element('dt', {}, title), element('dd', {}, value))),
      );
      backends.update(node.backends);
    },
  };
}

/** @returns {Table<import('./documents.js').Backend>} */
function backendsTable() {
  return new Table({
    caption: 'Backends',
    keyOf: ({ name }) => name,
    none: 'It has reported no backend.',
    columns: [
      { title: 'Name', cell: ({ name, pool }) => (pool === '' ? name : `${name}#${pool}`) },
      { title: 'Driver', cell: ({ driver }) => driver },
      { title: 'Target', cell: ({ target }) => target },
      {
        title: 'Free',
        cell: ({ free_bytes: free, total_bytes: total }) => `${byteSize(free)} of ${byteSize(total)}`,
        kind: 'number',
      },
      { title: 'Can', cell: ({ capabilities }) => capabilities.join(', ') || '–', kind: 'wide' },
      {
        title: 'Takes volumes',
        cell: ({ accepting, closed, problem }) => (problem === null ? (accepting && !closed ? 'yes' : 'no') : problem),
      },
    ],
  });
}
