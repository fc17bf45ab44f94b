import { tryParseAddress } from '../aoe/address.ts';
import { pairsOf } from '../redis/pairs.ts';
import { redisTime } from '../redis/redis-time.ts';
import { type ShelfFault, checkShelf } from '../redis/scripts.ts';
import { fieldPages, memberPages } from '../redis/scan.ts';
import type { Store } from '../redis/store.ts';
import { type Finding, inRedis } from './finding.ts';

/** Clocks may differ by so much where a time was noted. */
const slackMs = 60_000;

/** The AoE shelves of every node, in the three keys that have them, and quarantines. `nodes`: nodes that have such keys. */
export async function* auditShelves(
  store: Store,
  nodes: ReadonlySet<string>,
  { repair }: { repair: boolean },
): AsyncGenerator<Finding> {
  const { keys } = store;
  // Those of the nodes first: with them a lost owner is found again.
  for (const node of nodes) {
    for await (const shelves of memberPages(store, keys.nodeShelves(node))) {
      for (const shelf of shelves) yield* await shelfFindings(store, shelf, node, repair);
    }
    yield* await quarantineFindings(store, node, repair);
  }
  const owned = new Set<string>();
  for await (const shelves of fieldPages(store, keys.shelfOwners())) {
    for (const shelf of shelves) {
      if (owned.has(shelf)) continue;
      owned.add(shelf);
      yield* await shelfFindings(store, shelf, '', repair);
    }
  }
  for await (const shelves of memberPages(store, keys.shelves())) {
    for (const shelf of shelves) if (!owned.has(shelf)) yield* await shelfFindings(store, shelf, '', repair);
  }
}

async function shelfFindings(store: Store, shelf: string, node: string, repair: boolean): Promise<Finding[]> {
  const object = `AoE shelf ${shelf}`;
  if (!/^\d{1,5}$/.test(shelf)) return [inRedis(object, 'is no number of a shelf', '', false)];
  const fault = await checkShelf(store, shelf, node, repair);
  return fault ? [inRedis(object, ...describe(fault, node), fault.word !== 'Taken' && repair)] : [];
}

function describe(fault: ShelfFault, node: string): [what: string, fix: string] {
  if (fault.word === 'Lacks') return [`is not in the index ${fault.index}`, 'add it to the index'];
  if (fault.word === 'Unowned') return [`of node ${node} has no owner`, 'record the owner again'];
  if (fault.word === 'Stray') return ['is in use, and no node owns it', 'release it'];
  return [`is in the index of node ${node}, and belongs to node ${fault.owner}`, ''];
}

async function quarantineFindings(store: Store, node: string, repair: boolean): Promise<Finding[]> {
  const key = store.keys.quarantine(node);
  const entries = pairsOf(await store.read((redis) => redis.zrange(key, '0', '-1', 'WITHSCORES')));
  const latest = (await redisTime(store)) + slackMs;
  const wrong = entries.filter(
    ([address, time]) => tryParseAddress(address) === undefined || !(Number(time) <= latest),
  );
  if (repair && wrong.length > 0) {
    await store.read((redis) => redis.zrem(key, ...wrong.map(([address]) => address)));
  }
  return wrong.map(([address]) =>
    inRedis(`entry ${address}`, `of the quarantine of node ${node} is no released address`, 'remove it', repair),
  );
}
