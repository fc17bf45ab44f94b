import { pairsOf } from './pairs.ts';
import type { Store } from './store.ts';

const pageSize = 1000;

/** The members of a sorted set, page by page, some twice; one that comes or goes meanwhile is there or not. Each page is O(1000). */
export async function* memberPages(store: Store, key: string): AsyncGenerator<string[]> {
  for await (const flat of pages((at) => store.read((redis) => redis.zscan(key, at, 'COUNT', pageSize)))) {
    yield pairsOf(flat).map(([member]) => member);
  }
}

/** The fields of a hash, in the same way. */
export async function* fieldPages(store: Store, key: string): AsyncGenerator<string[]> {
  for await (const flat of pages((at) => store.read((redis) => redis.hscan(key, at, 'COUNT', pageSize)))) {
    yield pairsOf(flat).map(([field]) => field);
  }
}

async function* pages(read: (cursor: string) => Promise<[cursor: string, flat: string[]]>): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, flat] = await read(cursor);
    yield flat;
    cursor = next;
  } while (cursor !== '0');
}
