import type { NodeState } from '../../lib/models/node.ts';
import { byteSize } from '../../lib/byte-size.ts';
import { duration, isoTime, timeAgo } from '../format.ts';
import type { Style } from '../output.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json: its id is `name`, times are ISO 8601 or null. */
export function nodeJson({ id, reportTime, startTime, ...rest }: NodeState): object {
  const time = (value: number | undefined) => (value === undefined ? null : isoTime(value));
  return { name: id, ...rest, reportTime: time(reportTime), startTime: time(startTime) };
}

export const nodeColumns: readonly Column<NodeState>[] = [
  { title: 'NAME', text: (node) => node.id },
  { title: 'STATE', text: (node) => node.state, style: stateStyle },
  { title: 'ZONE', text: (node) => node.availabilityZone },
  { title: 'DRIVER', text: (node) => node.driver },
  { title: 'TARGET', text: (node) => node.target },
  { title: 'SIZE', text: (node) => byteSize(node.totalBytes), right: true },
  { title: 'FREE', text: (node) => byteSize(node.freeBytes), right: true },
  { title: 'VOLUMES', text: (node) => String(node.volumes), right: true },
  { title: 'PROBLEMS', text: (node) => String(node.problems.length || ''), style: () => 'red', right: true },
  { title: 'LAST SEEN', text: (node) => lastSeen(node), right: true },
];

export function nodeFacts(node: NodeState): [string, string][] {
  return [
    ['name', node.id],
    ['state', node.state],
    ...node.problems.map((problem): [string, string] => ['problem', problem]),
    ['zone', node.availabilityZone],
    ['driver', node.driver],
    ['target', node.target],
    ['size', byteSize(node.totalBytes)],
    ['free', byteSize(node.freeBytes)],
    ['volumes', String(node.volumes)],
    ['under way', String(node.pending)],
    ['AoE shelves', node.shelves.join(', ')],
    ['free addresses', String(node.freeNumbers)],
    ['version', node.version],
    ['started', node.startTime === undefined ? '' : timeAgo(node.startTime)],
    ['last seen', node.reportTime === undefined ? 'never' : timeAgo(node.reportTime)],
  ];
}

/** Returns the age of the last report. */
export function lastSeen({ reportTime }: NodeState): string {
  return reportTime === undefined ? 'never' : `${duration(Date.now() - reportTime)} ago`;
}

function stateStyle({ state }: NodeState): Style {
  return state === 'up' ? 'green' : state === 'down' ? 'red' : 'yellow';
}
