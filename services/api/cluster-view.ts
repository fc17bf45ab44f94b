import { SharedRead } from '../../lib/san/shared-read.ts';
import { type NodePage, allNodes } from '../../lib/models/node.ts';
import { type PersistenceProblem, persistenceProblems } from '../../lib/redis/persistence.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type StatusCounts, countStatuses } from './status-counts.ts';

/** Nodes that are read at most. */
const maxNodes = 1000;
/** Callers within this time get the same. */
const nodesAgeMs = 2000;
/** Counting takes at most this share of the time. */
const countingShare = 0.02;
const minCountsAgeMs = 1000;
const problemsAgeMs = 5000;
/** Projects whose counts are kept. */
const maxKept = 64;

export interface NodesRead extends NodePage {
  /** Whether all nodes were read. */
  isComplete: boolean;
}

/** What is read of the whole cluster: once for all callers, and not again within some seconds. */
export class ClusterView {
  private readonly store: Store;
  private readonly readNodes: SharedRead<NodesRead>;
  private readonly readProblems: SharedRead<PersistenceProblem[]>;
  private readonly counts = new Map<string, { read: SharedRead<StatusCounts>; ageMs: number }>();

  constructor(store: Store) {
    this.store = store;
    this.readNodes = new SharedRead(() => nodesOf(store));
    this.readProblems = new SharedRead(() => persistenceProblems(store));
  }

  nodes(): Promise<NodesRead> {
    return this.readNodes.recent(nodesAgeMs);
  }

  /** Of Redis. */
  problems(): Promise<PersistenceProblem[]> {
    return this.readProblems.recent(problemsAgeMs);
  }

  /** Volumes of an index by status. */
  async statuses(index: string): Promise<StatusCounts> {
    const kept = this.counts.get(index) ?? this.counting(index);
    return kept.read.recent(kept.ageMs);
  }

  private counting(index: string): { read: SharedRead<StatusCounts>; ageMs: number } {
    const kept = {
      ageMs: minCountsAgeMs,
      read: new SharedRead(async () => {
        const began = performance.now();
        const counts = await countStatuses(this.store, index);
        kept.ageMs = Math.max(minCountsAgeMs, (performance.now() - began) / countingShare);
        return counts;
      }),
    };
    this.counts.set(index, kept);
    const [oldest] = this.counts.keys();
    if (this.counts.size > maxKept && oldest !== undefined) this.counts.delete(oldest);
    return kept;
  }
}

async function nodesOf(store: Store): Promise<NodesRead> {
  const read: NodesRead = { nodes: [], unreadable: [], isComplete: true };
  for await (const { nodes, unreadable } of allNodes(store)) {
    if (read.nodes.length >= maxNodes) return { ...read, isComplete: false };
    read.nodes.push(...nodes);
    read.unreadable.push(...unreadable);
  }
  return read;
}
