import { errors } from '../errors.ts';
import { type NodeState, findNode } from '../models/node.ts';
import { commit, releaseShelves } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { topicOf } from './message.ts';

/**
 * Removes the record of a node that is not up and has no volumes, with its backends, its topic and its AoE shelves, which other
 * nodes may own then. Storage of deleted volumes prevents it unless the node is declared lost: their records stay, so that a node
 * that returns after all removes the storage. Throws NodeNotFound, NodeUp, NodeHasVolumes.
 */
export async function removeNode(store: Store, name: string, topic: string): Promise<void> {
  const node = await findNode(store, name);
  if (node) await removeRecord(store, node);
  // Also without a record: a removal may have ended after it.
  await releaseShelves(store, name);
  const { keys } = store;
  await store.read((redis) => redis.del(keys.topic(topicOf(topic, name)), keys.quarantine(name)));
  if (!node) throw errors.noNode(name);
}

async function removeRecord(store: Store, { id: name, backends, volumes, state }: NodeState): Promise<void> {
  if (state === 'up') throw errors.nodeUp(name);
  const isLost = state === 'lost';
  const abandoned = `node:${name}:abandoned`;
  const outcome = await commit(store, {
    conditions: [
      { is: 'down', node: name },
      { is: 'empty', key: `node:${name}:volumes` },
      isLost ? { is: 'lost', node: name } : { is: 'empty', key: abandoned },
    ],
    edits: [
      { kind: 'node', id: name, remove: true },
      ...backends.map(({ id }) => ({ kind: 'backend', id, remove: true }) as const),
    ],
  });
  if (outcome.word === 'condition') {
    const { condition } = outcome;
    if (condition.is !== 'empty') throw errors.nodeUp(name); // the daemon of a lost node has started meanwhile
    if (condition.key === abandoned) throw errors.nodeHasStorage(name);
    throw errors.nodeHasVolumes(name, volumes, isLost);
  }
}
