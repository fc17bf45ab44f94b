import { Table, element } from './dom.js';
import { duration, timeOf } from './format.js';

/** @typedef {import('./documents.js').ClusterEvent} ClusterEvent */

/**
 * Returns what an event says, such as "create ended".
 * @param {ClusterEvent} event
 */
export function eventText({ event }) {
  const [, task, moment] = /^volume\.(.+)\.(start|end|error)$/.exec(event) ?? [];
  if (task === undefined) return event;
  return `${task} ${moment === 'start' ? 'began' : moment === 'end' ? 'ended' : 'failed'}`;
}

/**
 * A table of events. `isOfVolume`: all are about one volume.
 * @param {string} caption
 * @param {{ isOfVolume: boolean }} options
 * @returns {Table<ClusterEvent>}
 */
export function eventsTable(caption, { isOfVolume }) {
  /** @type {{ title: string, cell: (event: ClusterEvent) => import('./dom.js').Child | import('./dom.js').Child[], kind?: 'wide' | 'number' }[]} */
  const columns = [
    { title: 'Time', cell: ({ time }) => timeOf(time) },
    { title: 'Event', cell: (event) => element('span', { class: event.fault ? 'problem' : null }, eventText(event)) },
    ...(isOfVolume ? [] : [{ title: 'Object', cell: objectOf }]),
    { title: 'By', cell: ({ requested_by: by }) => requesterOf(by), kind: 'wide' },
    { title: 'Took', cell: ({ duration_ms: ms }) => (ms === null ? '–' : duration(ms)), kind: 'number' },
    {
      title: 'Reason',
      cell: ({ fault }) =>
        fault ? [fault.message, fault.hint !== null && element('p', { class: 'hint' }, fault.hint)] : '',
    },
  ];
  return new Table({ caption, columns, keyOf: ({ id }) => id, none: 'Nothing has happened.' });
}

/**
 * The user; the id of the request, by which the log has more, where the pointer rests.
 * @param {string | null} by
 */
function requesterOf(by) {
  if (by === null) return '–';
  return element('span', { title: by }, by.replace(/^req-\S+ /, ''));
}

/** @param {ClusterEvent} event */
function objectOf({ volume_id: volume, object_id: object, name, node }) {
  if (volume !== null) return element('a', { href: `#/volumes/${volume}`, 'data-focus': 'object' }, name ?? volume);
  return object ?? node ?? '–';
}
