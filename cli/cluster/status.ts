import { type NodePage, type NodeState, everyNode } from '../../lib/models/node.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type PersistenceProblem, persistenceProblems } from '../../lib/redis/persistence.ts';
import type { Context } from '../context.ts';
import { byteSize } from '../../lib/format-bytes.ts';
import { printable } from '../../lib/printable.ts';
import { plural } from '../format.ts';
import { lastSeen, problemsIn, sizesOf } from '../node/present.ts';

interface Status {
  problems: string[];
  nodes: Record<NodeState['state'], number>;
  totalBytes: number;
  freeBytes: number;
  volumes: number;
  underWay: number;
}

/** Reads the counters of node records and indexes, no volume record. */
export async function showStatus(context: Context): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const [page, count, ofRedis] = await Promise.all([
    everyNode(store),
    volumesOf(store).count(store.keys.volumes()),
    persistenceProblems(store),
  ]);
  const status = statusOf(page, count, ofRedis);
  if (output.json) {
    await output.document(status);
    return;
  }
  for (const problem of status.problems) await output.line(`${output.paint('red', '!')} ${printable(problem)}`);
  if (status.problems.length > 0) await output.line('');
  const { up, ...others } = status.nodes;
  const notUp = Object.entries(others).flatMap(([state, many]) => (many > 0 ? [`${many} ${state}`] : []));
  await output.write(
    [
      `nodes     ${[`${up} up`, ...notUp].join(', ')}`,
      `capacity  ${byteSize(status.freeBytes)} free of ${byteSize(status.totalBytes)} (nodes that are up)`,
      `volumes   ${status.volumes}`,
      `under way ${status.underWay}`,
      '',
    ].join('\n'),
  );
}

function statusOf({ nodes, unreadable }: NodePage, volumes: number, ofRedis: readonly PersistenceProblem[]): Status {
  const inState = (state: NodeState['state']) => nodes.filter((node) => node.state === state);
  const up = inState('up');
  const sum = (of: readonly NodeState[], value: (node: NodeState) => number) =>
    of.reduce((total, node) => total + value(node), 0);
  return {
    problems: [
      ...ofRedis.map(({ message }) => message),
      ...problemsOf(nodes),
      ...unreadable.map(({ id, reason }) => `the record of node ${id} ${reason}`),
    ],
    nodes: {
      up: up.length,
      down: inState('down').length,
      stopped: inState('stopped').length,
      lost: inState('lost').length,
    },
    totalBytes: sum(up, (node) => sizesOf(node).totalBytes),
    freeBytes: sum(up, (node) => sizesOf(node).freeBytes),
    volumes,
    underWay: sum(nodes, (node) => node.pending),
  };
}

function problemsOf(nodes: readonly NodeState[]): string[] {
  return [
    ...(nodes.some((node) => node.state === 'up') ? [] : ['no storage node is up: start blockstored on a node']),
    ...nodes
      .filter((node) => node.state === 'down')
      .map((node) => `node ${node.id} is down, last seen ${lastSeen(node)}, with ${plural(node.volumes, 'volume')}`),
    ...nodes
      .filter((node) => node.state === 'lost')
      .map((node) => `node ${node.id} is declared lost, with ${plural(node.volumes, 'volume')}`),
    ...nodes.flatMap((node) => problemsIn(node).map((problem) => `node ${node.id}: ${problem}`)),
  ];
}
