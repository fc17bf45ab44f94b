import { plural } from '../format-text.ts';
import type { NodePage, NodeState } from '../models/node.ts';
import { lastSeen, problemsIn, sizesOf } from './node-figures.ts';

/** Something that somebody has to do. */
export interface ClusterProblem {
  message: string;
  hint: string;
}

/** A cluster at a glance. Capacity is that of the nodes that are up, in bytes. */
export interface ClusterStatus {
  problems: ClusterProblem[];
  nodes: Record<NodeState['state'], number>;
  totalBytes: number;
  freeBytes: number;
  /** Volumes that have a task. */
  underWay: number;
}

/** `ofRedis`: how it can lose records, see persistenceProblems(). */
export function clusterStatus({ nodes, unreadable }: NodePage, ofRedis: readonly ClusterProblem[]): ClusterStatus {
  const inState = (state: NodeState['state']) => nodes.filter((node) => node.state === state);
  const up = inState('up');
  const sum = (of: readonly NodeState[], value: (node: NodeState) => number) =>
    of.reduce((total, node) => total + value(node), 0);
  return {
    problems: [
      ...ofRedis.map(({ message, hint }) => ({ message, hint })),
      ...problemsOf(nodes),
      ...unreadable.map(({ id, reason }) => ({
        message: `the record of node ${id} ${reason}`,
        hint: 'start blockstored on it: its next report writes the record',
      })),
    ],
    nodes: {
      up: up.length,
      down: inState('down').length,
      stopped: inState('stopped').length,
      lost: inState('lost').length,
    },
    totalBytes: sum(up, (node) => sizesOf(node).totalBytes),
    freeBytes: sum(up, (node) => sizesOf(node).freeBytes),
    underWay: sum(nodes, (node) => node.pending),
  };
}

function problemsOf(nodes: readonly NodeState[]): ClusterProblem[] {
  const none = { message: 'no storage node is up', hint: 'start blockstored on a node' };
  return [
    ...(nodes.some((node) => node.state === 'up') ? [] : [none]),
    ...nodes
      .filter((node) => node.state === 'down')
      .map((node) => ({
        message: `node ${node.id} is down, last seen ${lastSeen(node)}, with ${plural(node.volumes, 'volume')}`,
        hint: `start it; if it does not return: blockstore node lost ${node.id}`,
      })),
    ...nodes
      .filter((node) => node.state === 'lost')
      .map((node) => ({
        message: `node ${node.id} is declared lost, with ${plural(node.volumes, 'volume')}`,
        hint: `delete its volumes, then: blockstore node remove ${node.id}`,
      })),
    ...nodes.flatMap((node) =>
      problemsIn(node).map((problem) => ({
        message: `node ${node.id}: ${problem}`,
        hint: 'run "blockstore doctor" on the node',
      })),
    ),
  ];
}
