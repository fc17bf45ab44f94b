import { errors } from '../errors.ts';
import { formersOf } from '../models/former.ts';
import { jobsOf } from '../models/job.ts';
import { migrationsOf } from '../models/migration.ts';
import { type NodeState, findNode } from '../models/node.ts';
import { abandonedVolumesOf } from '../models/volume.ts';
import { pairsOf } from '../redis/pairs.ts';
import { redisTime } from '../redis/redis-time.ts';
import { commit, releaseShelves } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { topicOf } from './message.ts';

export interface RemoveNodeOptions {
  /** The beginning of the names of topics. */
  topic: string;
}

/** Of a node that has not reported its setting: the default of address_quarantine. */
const defaultQuarantineMs = 600_000;

/**
 * Removes the record of a node that is not up and has no volumes, with its backends, its topic and its AoE shelves, which other
 * nodes may own then, and do not know what is in quarantine on them: so the node's own setting must have passed. Storage of deleted volumes prevents it unless the node is declared lost: their records stay, so that a node
 * that returns after all removes the storage. Throws NodeNotFound, NodeUp, NodeHasVolumes, AddressesQuarantined, AddressesLent.
 */
export async function removeNode(store: Store, name: string, { topic }: RemoveNodeOptions): Promise<void> {
  const node = await findNode(store, name);
  if (node) await removeRecord(store, node);
  // Also without a record: a removal may have ended after it.
  await returnLent(store, name);
  await releaseShelves(store, name);
  const { keys } = store;
  await store.read((redis) => redis.del(keys.topic(topicOf(topic, name)), keys.quarantine(name)));
  if (!node) throw errors.noNode(name);
}

async function removeRecord(store: Store, node: NodeState): Promise<void> {
  const { id: name, backends, volumes, state, quarantineMs = defaultQuarantineMs } = node;
  if (state === 'up') throw errors.nodeToRemoveUp(name);
  const isLost = state === 'lost';
  const abandoned = `node:${name}:abandoned`;
  const migrations = `node:${name}:migrations`;
  const former = `node:${name}:former`;
  const lent = `node:${name}:lent`;
  const lentAbandoned = `node:${name}:lent-abandoned`;
  if (isLost) await forgetFormer(store, name);
  const outcome = await commit(store, {
    frees: true,
    conditions: [
      { is: 'down', node: name },
      { is: 'empty', key: `node:${name}:volumes` },
      { is: 'empty', key: migrations },
      { is: 'empty', key: former },
      { is: 'empty', key: lent },
      { is: 'empty', key: lentAbandoned },
      isLost ? { is: 'lost', node: name } : { is: 'empty', key: abandoned },
      { is: 'rested', node: name, quarantineMs },
    ],
    event: 'node.remove',
    edits: [
      { kind: 'node', id: name, remove: true },
      ...backends.map(({ id }) => ({ kind: 'backend', id, remove: true }) as const),
    ],
  });
  if (outcome.word === 'condition') {
    const { condition } = outcome;
    if (condition.is === 'rested') {
      throw errors.addressesQuarantined(name, await secondsToRest(store, name, quarantineMs));
    }
    if (condition.is !== 'empty') throw errors.nodeToRemoveUp(name); // the daemon of a lost node has started meanwhile
    if (condition.key === lent || condition.key === lentAbandoned)
      throw errors.nodeLendsAddresses(name, await borrowers(store, name));
    if (condition.key === migrations) throw errors.nodeHasMigrations(name);
    if (condition.key === abandoned || condition.key === former) throw errors.nodeHasStorage(name);
    throw errors.nodeHasVolumes(name, volumes, isLost);
  }
}

/** Jobs of the node, storage that volumes have left there, and cancelled migrations to it: a node that returns after all finds both by their labels. */
async function forgetFormer(store: Store, name: string): Promise<void> {
  const { keys } = store;
  for await (const { id } of jobsOf(store).iterate(keys.nodeJobs(name))) {
    await commit(store, { frees: true, edits: [{ kind: 'job', id, remove: true, optional: true }] });
  }
  for await (const { id } of formersOf(store).iterate(keys.nodeFormer(name))) {
    await commit(store, { frees: true, edits: [{ kind: 'former', id, remove: true, optional: true }] });
  }
  for await (const { id, isCancelled } of migrationsOf(store).iterate(keys.nodeMigrations(name))) {
    if (!isCancelled) continue;
    await commit(store, { frees: true, edits: [{ kind: 'migration', id, remove: true, optional: true }] });
  }
}

/** Volumes that were deleted while the node was lost had addresses of other nodes: they rest there, as the shelves of this one are free. */
async function returnLent(store: Store, name: string): Promise<void> {
  for await (const { id, address, lender } of abandonedVolumesOf(store).iterate(store.keys.nodeAbandoned(name))) {
    if (lender === '') continue;
    const edit = { kind: 'abandoned', id, expect: { lender }, unset: ['lender', 'address'], rest: address } as const;
    await commit(store, { frees: true, edits: [edit] });
  }
}

/** Returns volumes of other nodes that have addresses of this one, at most so many of each kind. */
async function borrowers(store: Store, name: string): Promise<string[]> {
  const { keys } = store;
  const lists = await store.read((redis) =>
    Promise.all([keys.nodeLent(name), keys.nodeLentAbandoned(name)].map((key) => redis.zrange(key, '0', '9'))),
  );
  return lists.flat();
}

/** Returns how long the address that was released last is still in quarantine. */
async function secondsToRest(store: Store, name: string, quarantineMs: number): Promise<number> {
  const newest = await store.read((redis) => redis.zrange(store.keys.quarantine(name), '-1', '-1', 'WITHSCORES'));
  const [[, time] = ['', '0']] = pairsOf(newest);
  return Math.max(1, Math.ceil((Number(time) + quarantineMs - (await redisTime(store))) / 1000));
}
