import { pairsOf } from '../redis/pairs.ts';
import type { Store } from '../redis/store.ts';
import type { Finding } from './finding.ts';

const sideBySide = 100;
const indexName = /^(volumes|volume-ids|volume-names|node:.+:(volumes|pending)|project:.+:volumes)$/;
const otherName = /^(nodes|node:.+|aoe:(shelves|held)|topic:.+|forgotten:.+)$/;

/** What does not fit together in Redis itself: records, indexes, keys. With `repair` indexes are put right. */
export async function* auditRecords(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  const indexes = new Set<string>();
  for await (const names of store.names()) {
    const ids = names.flatMap((name) => /^volume:(.+)$/.exec(name)?.[1] ?? []);
    yield* await eachOf(ids, (id) => missingEntries(store, id, repair));
    for (const name of names) {
      if (indexName.test(name)) indexes.add(name);
      else if (!name.startsWith('volume:') && !otherName.test(name)) {
        yield finding(`key ${store.keys.prefix}${name}`, 'is none of blockstore', '', false);
      }
    }
  }
  for (const index of indexes) {
    for await (const members of entries(store, index)) {
      yield* await eachOf(members, (member) => strayEntry(store, index, member, repair));
    }
  }
}

async function missingEntries(store: Store, id: string, repair: boolean): Promise<Finding[]> {
  const [, ...missing] = await store.run('reindex', id, repair ? 'repair' : '');
  return missing.map((index) => finding(`volume ${id}`, `is not in the index ${index}`, 'put it there', repair));
}

async function strayEntry(store: Store, index: string, member: string, repair: boolean): Promise<Finding[]> {
  const [, stray] = await store.run('unindex', index, member, repair ? 'repair' : '');
  if (stray === undefined) return [];
  const name = member.replace('\0', ' ');
  return [finding(`entry ${name}`, `is in the index ${index} without a record that says so`, 'remove it', repair)];
}

async function* entries(store: Store, index: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const at = cursor;
    const [next, flat] = await store.read((redis) => redis.zscan(store.keys.prefix + index, at, 'COUNT', 1000));
    yield pairsOf(flat).map(([member]) => member);
    cursor = next;
  } while (cursor !== '0');
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<Finding[]>): Promise<Finding[]> {
  const found: Finding[] = [];
  for (let begin = 0; begin < items.length; begin += sideBySide) {
    found.push(...(await Promise.all(items.slice(begin, begin + sideBySide).map(work))).flat());
  }
  return found;
}

function finding(object: string, what: string, mend: string, mended: boolean): Finding {
  return { node: '', object, what, mend, mended };
}
