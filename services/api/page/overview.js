import { get } from './api.js';
import { Items, Table, element, fill } from './dom.js';
import { eventsTable } from './events-table.js';
import { byteSize, duration, milliseconds, statusOf } from './format.js';

/** @typedef {import('./documents.js').Operation} Operation */

const shownEvents = 10;

/**
 * The cluster at a glance.
 * @param {import('./documents.js').Context} context
 * @returns {import('./documents.js').View}
 */
export function overview({ isAdministrator }) {
  const facts = element('dl', { class: 'cards' });
  const problems = element('ul', { class: 'problems' });
  const problemItems = new Items(problems, ({ message }) => message, problemItem);
  const none = element('p', { class: 'none' }, 'No problems.');
  const statuses = element('ul', { class: 'bars' });
  const note = element('p', { class: 'hint' });
  const operations = operationsTable();
  const events = eventsTable('What happened last', { isOfVolume: false });
  const scope = isAdministrator ? '?all_tenants=1' : '';
  return {
    title: 'Overview',
    content: [
      facts,
      section('Problems', problems, none),
      section('Under way', operations.content),
      section('Volumes by status', statuses, note),
      section('Events', events.content),
    ],
    async update() {
      const [cluster, counted, underWay, happened] = await Promise.all([
        isAdministrator ? get('/blockstore/cluster') : undefined,
        get(`/blockstore/statuses${scope}`),
        get('/blockstore/operations'),
        get(`/blockstore/events?limit=${shownEvents}`),
      ]);
      fill(facts, ...cardsOf(cluster?.cluster, counted, underWay.operations.length));
      const all = [...(cluster?.cluster.problems ?? []), ...counted.faulty.map(faultOf)];
      problemItems.update(all);
      none.hidden = all.length > 0;
      fill(statuses, ...barsOf(counted.statuses));
      note.textContent = counted.examined < counted.total ? `Of the newest ${counted.examined} volumes.` : '';
      operations.update(underWay.operations);
      events.update(happened.events);
    },
  };
}

/**
 * @param {string} title
 * @param {...Element} content
 */
function section(title, ...content) {
  const id = `section-${title.toLowerCase().replaceAll(' ', '-')}`;
  return element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...content);
}

/**
 * @param {import('./documents.js').ClusterStatus | undefined} cluster Undefined for those who are no administrators.
 * @param {{ total: number }} counted
 * @param {number} underWay
 */
function cardsOf(cluster, counted, underWay) {
  if (!cluster) return [card('Volumes', String(counted.total), 'of this project'), card('Under way', String(underWay))];
  const { up = 0, ...others } = cluster.nodes;
  const notUp = Object.entries(others).flatMap(([state, many]) => (many > 0 ? [`${many} ${state}`] : []));
  const used = cluster.total_bytes - cluster.free_bytes;
  const share = cluster.total_bytes === 0 ? 0 : used / cluster.total_bytes;
  const meter = element('meter', {
    value: share,
    min: 0,
    max: 1,
    low: 0.8,
    high: 0.95,
    optimum: 0,
    'aria-label': 'Allocated capacity',
  });
  return [
    card('Nodes', `${up} up`, notUp.join(', ') || 'none is down'),
    card('Free', byteSize(cluster.free_bytes), meter, `of ${byteSize(cluster.total_bytes)}`),
    card('Volumes', String(cluster.volumes), `${cluster.snapshots} snapshots, ${cluster.attachments} attachments`),
    card('Under way', String(cluster.under_way), `blockstore ${cluster.version}`),
  ];
}

/**
 * @param {string} title
 * @param {string} value
 * @param {...import('./dom.js').Child} notes
 */
function card(title, value, ...notes) {
  return element(
    'div',
    { class: 'card' },
    element('dt', {}, title),
    element('dd', {}, element('strong', {}, value), ...notes.map((one) => element('span', { class: 'note' }, one))),
  );
}

/** @param {{ message: string, hint: string | null, volume?: string }} problem */
function problemItem({ message, hint, volume }) {
  const text =
    volume === undefined ? message : element('a', { href: `#/volumes/${volume}`, 'data-focus': 'volume' }, message);
  return element(
    'li',
    {},
    element('span', { class: 'problem' }, text),
    hint !== null && element('p', { class: 'hint' }, hint),
  );
}

/** @param {Operation} operation */
function faultOf({ volume_id: volume, name, status, fault }) {
  return {
    volume,
    message: `volume ${name ?? volume} (${status}): ${fault?.message ?? ''}`,
    hint: fault?.hint ?? null,
  };
}

/** @param {Record<string, number>} counts */
function barsOf(counts) {
  const entries = Object.entries(counts).toSorted(([, one], [, other]) => other - one);
  const most = Math.max(1, ...entries.map(([, many]) => many));
  return entries.map(([status, many]) => {
    const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.setProperty('--share', String(many / most));
    const link = element('a', { href: `#/volumes?status=${encodeURIComponent(status)}` }, statusOf(status));
    return element('li', {}, link, bar, element('span', { class: 'number' }, many));
  });
}

/** @returns {Table<Operation>} */
function operationsTable() {
  return new Table({
    caption: 'Operations under way, the oldest first',
    keyOf: ({ volume_id: id }) => id,
    none: 'Nothing is under way.',
    columns: [
      {
        title: 'Volume',
        cell: ({ volume_id: id, name }) =>
          element('a', { href: `#/volumes/${id}`, 'data-focus': 'volume' }, name ?? id),
      },
      { title: 'Operation', cell: ({ task, status }) => task ?? status },
      { title: 'Progress', cell: progressOf },
      { title: 'Node', cell: ({ node }) => node ?? '–', kind: 'wide' },
      {
        title: 'Since',
        cell: ({ started_at: time }) => (time === null ? '–' : duration(Date.now() - milliseconds(time))),
        kind: 'number',
      },
    ],
  });
}

/** @param {Operation} operation */
export function progressOf({ progress, name, volume_id: id, attempts, step }) {
  const retried =
    attempts > 0 && element('p', { class: 'problem' }, `${step ?? 'a step'} has failed ${attempts} times`);
  if (progress === null) return [retried || '–'];
  const bar = element('progress', { value: progress, max: 100, 'aria-label': `Progress of ${name ?? id}` });
  return [bar, ` ${progress} %`, retried];
}
