import { isClosed, lastSeen, problemsIn, sizesOf } from '../../lib/client/node-figures.ts';
import { freeSpaceOf } from '../../lib/client/placement-reasons.ts';
import { type BackendState, placeText } from '../../lib/models/backend.ts';
import type { NodeState } from '../../lib/models/node.ts';
import { byteSize } from '../../lib/format-bytes.ts';
import { isoTime, timeAgo } from '../format.ts';
import type { Style } from '../output.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: its id is `name`, times are ISO 8601 or null. */
export function nodeJson({ id, reportTime, startTime, quarantineMs, ...rest }: NodeState): object {
  const time = (value: number | undefined) => (value === undefined ? null : isoTime(value));
  return {
    name: id,
    ...rest,
    quarantineMs: quarantineMs ?? null,
    reportTime: time(reportTime),
    startTime: time(startTime),
  };
}

export const nodeColumns: readonly Column<NodeState>[] = [
  { title: 'NAME', text: (node) => node.id, maxWidth: 32 },
  { title: 'STATE', text: stateText, style: stateStyle },
  { title: 'ZONE', text: (node) => node.availabilityZone, maxWidth: 32 },
  { title: 'BACKENDS', text: (node) => node.backends.map(({ name }) => name).join(','), maxWidth: 32 },
  { title: 'SIZE', text: (node) => byteSize(sizesOf(node).totalBytes), right: true },
  { title: 'FREE', text: (node) => byteSize(sizesOf(node).freeBytes), right: true },
  { title: 'VOLUMES', text: (node) => String(node.volumes), right: true },
  { title: 'PROBLEMS', text: (node) => String(problemsIn(node).length || ''), style: () => 'red', right: true },
  { title: 'LAST SEEN', text: (node) => lastSeen(node), right: true },
];

export function nodeFacts(node: NodeState): [string, string][] {
  return [
    ['name', node.id],
    ['state', stateText(node)],
    ...problemsIn(node).map((problem): [string, string] => ['problem', problem]),
    ['zone', node.availabilityZone],
    ...node.backends.map((backend): [string, string] => ['backend', backendText(backend)]),
    ['volumes', String(node.volumes)],
    ['under way', String(node.pending)],
    ['AoE shelves', node.shelves.join(', ')],
    ['version', node.version],
    ['started', node.startTime === undefined ? '' : timeAgo(node.startTime)],
    ['last seen', node.reportTime === undefined ? 'never' : timeAgo(node.reportTime)],
  ];
}

function backendText(backend: BackendState): string {
  const { id, driver, target, pool, capabilities, totalBytes, accepting, closedReason } = backend;
  const { dataPercent, metadataPercent } = backend;
  const space = `${byteSize(freeSpaceOf(backend))} free of ${byteSize(totalBytes)}`;
  const usage = dataPercent === null ? '' : `, data ${dataPercent} % and metadata ${metadataPercent ?? 0} % full`;
  const abilities = capabilities.length === 0 ? '' : ` (${capabilities.join(', ')})`;
  const closed = closedReason === '' ? ', closed' : `, closed (${closedReason})`;
  return `${placeText(id, pool)}: ${driver}${abilities}, ${target}, ${space}${usage}${backend.isClosed ? closed : accepting ? '' : ', takes no volumes'}`;
}

function stateText(node: NodeState): string {
  return isClosed(node) ? `${node.state}, closed` : node.state;
}

function stateStyle({ state }: NodeState): Style {
  return state === 'up' ? 'green' : state === 'down' ? 'red' : 'yellow';
}
