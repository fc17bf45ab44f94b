import type { Store } from '../redis/store.ts';
import { type NodeState, readNodes } from './node.ts';

/** Names that a search for nodes reads at most. */
const maxNames = 10_000;
/** Nodes that are read at once: a few milliseconds of Redis. */
const portion = 100;

/**
 * Returns nodes by their names: those after `after` that have `part` in their names, up to so many, and where a next page begins. Without
 * those whose records cannot be read, which the audit reports.
 */
export async function nodePage(
  store: Store,
  { limit, after = '', part = '' }: { limit: number; after?: string | undefined; part?: string | undefined },
): Promise<{ nodes: NodeState[]; next: string | undefined }> {
  const names = await store.read((redis) => redis.zrange(store.keys.nodes(), '0', String(maxNames - 1)));
  const matching = names.filter((name) => name > after && name.includes(part)).toSorted();
  const page = matching.slice(0, limit);
  const nodes: NodeState[] = [];
  for (let begin = 0; begin < page.length; begin += portion) {
    nodes.push(...(await readNodes(store, page.slice(begin, begin + portion))).nodes);
  }
  return { nodes, next: page.length < matching.length ? page.at(-1) : undefined };
}
