import { Node, type NodeState } from '../../lib/models/node.ts';
import { Volume } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { byteSize } from '../../lib/byte-size.ts';
import { plural } from '../format.ts';
import { lastSeen } from '../node/present.ts';

interface Status {
  problems: string[];
  nodes: Record<NodeState['state'], number>;
  totalBytes: number;
  freeBytes: number;
  volumes: number;
  underWay: number;
  /** Creations that no node has fetched yet. */
  unplaced: number;
}

/** Reads the counters of node records and indexes, no volume record. */
export async function showStatus(context: Context): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const volumes = Volume.records(store);
  const [nodes, count, unplaced] = await Promise.all([
    Node.all(store),
    volumes.count(),
    unplacedVolumes(store, session.flags.volume_topic),
  ]);
  const status = statusOf(
    nodes.map((node) => node.state),
    count,
    unplaced,
  );
  if (output.json) {
    await output.document(status);
    return;
  }
  for (const problem of status.problems) await output.line(`${output.paint('red', '!')} ${problem}`);
  if (status.problems.length > 0) await output.line('');
  const { up, ...others } = status.nodes;
  const notUp = Object.entries(others).flatMap(([state, many]) => (many > 0 ? [`${many} ${state}`] : []));
  await output.write(
    [
      `nodes     ${[`${up} up`, ...notUp].join(', ')}`,
      `capacity  ${byteSize(status.freeBytes)} free of ${byteSize(status.totalBytes)} (nodes that are up)`,
      `volumes   ${status.volumes}`,
      `under way ${status.underWay}${unplaced > 0 ? `, ${unplaced} not taken by a node yet` : ''}`,
      '',
    ].join('\n'),
  );
}

/** Returns the number of create commands in the shared topic that no node has fetched. */
async function unplacedVolumes(store: Store, topic: string): Promise<number> {
  const key = store.keys.topic(topic);
  const waiting = await store.read((redis) => redis.xlen(key));
  if (waiting === 0) return 0;
  const [fetched] = await store.read((redis) => redis.xpending(key, 'nodes'));
  return Math.max(0, waiting - Number(fetched));
}

function statusOf(nodes: readonly NodeState[], volumes: number, unplaced: number): Status {
  const inState = (state: NodeState['state']) => nodes.filter((node) => node.state === state);
  const up = inState('up');
  const sum = (of: readonly NodeState[], value: (node: NodeState) => number) =>
    of.reduce((total, node) => total + value(node), 0);
  return {
    problems: problemsOf(nodes),
    nodes: {
      up: up.length,
      down: inState('down').length,
      stopped: inState('stopped').length,
      lost: inState('lost').length,
    },
    totalBytes: sum(up, (node) => node.totalBytes),
    freeBytes: sum(up, (node) => node.freeBytes),
    volumes,
    underWay: unplaced + sum(nodes, (node) => node.pending),
    unplaced,
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
    ...nodes.flatMap((node) => node.problems.map((problem) => `node ${node.id}: ${problem}`)),
  ];
}
