import type { KindName } from '../models/kinds.ts';
import { isId } from '../models/id.ts';
import { parseVolume } from '../models/volume-state.ts';
import { UnreadableError } from '../models/hash.ts';
import { pairsOf } from '../redis/pairs.ts';
import { checkRecord, isStrayEntry } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import type { Finding } from './finding.ts';

const concurrency = 100;
const recordName = /^(volume|abandoned|backend):(.+)$/;
const volumeIndex = /^(volumes|volume-ids|volume-names|node:.+:(volumes|tasks)|project:.+:volumes)$/;
const abandonedIndex = /^node:.+:abandoned$/;
const backendIndex = /^node:.+:backends$/;
const otherName = /^(nodes|free-space|replicated|catching-up|node:.+|aoe:(shelves|shelf-owners)|topic:.+)$/;

/** Differences within Redis: records, indexes, keys. With `repair` indexes are repaired. Work proportional to the cluster, in pages. */
export async function* auditRecords(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  const indexes = new Map<string, KindName>();
  for await (const names of store.names()) {
    const records = names.flatMap((name) => {
      const [, kind, id] = recordName.exec(name) ?? [];
      return id !== undefined && isRecordKind(kind) ? [{ kind, id }] : [];
    });
    yield* await eachOf(records, (record) => recordFindings(store, record, repair));
    for (const name of names) {
      const kind = indexKind(name);
      if (kind) indexes.set(name, kind);
      else if (!recordName.test(name) && !otherName.test(name)) {
        yield finding(`key ${store.keys.prefix}${name}`, 'is no key of blockstore', '', false);
      }
    }
  }
  for (const [index, kind] of indexes) {
    for await (const members of entries(store, index)) {
      yield* await eachOf(members, (member) => strayEntry(store, kind, index, member, repair));
    }
  }
}

function isRecordKind(kind: string | undefined): kind is 'volume' | 'abandoned' | 'backend' {
  return kind === 'volume' || kind === 'abandoned' || kind === 'backend';
}

function indexKind(name: string): KindName | undefined {
  if (volumeIndex.test(name)) return 'volume';
  if (abandonedIndex.test(name)) return 'abandoned';
  return backendIndex.test(name) ? 'backend' : undefined;
}

async function recordFindings(
  store: Store,
  { kind, id }: { kind: 'volume' | 'abandoned' | 'backend'; id: string },
  repair: boolean,
): Promise<Finding[]> {
  const missing = await checkRecord(store, kind, id, repair);
  const object = `${kind} ${id}`;
  const found = missing.map((index) => finding(object, `is not in the index ${index}`, 'add it to the index', repair));
  const reason = kind === 'volume' ? await unreadable(store, id) : undefined;
  return reason === undefined ? found : [...found, finding(object, `has an unreadable record: ${reason}`, '', false)];
}

/** Why this version cannot read a record that belongs to no node, and that no node reports therefore. */
async function unreadable(store: Store, id: string): Promise<string | undefined> {
  const record = await store.read((redis) => redis.hgetall(store.keys.volume(id)));
  if (Object.keys(record).length === 0) return undefined;
  try {
    const { node } = parseVolume(id, record);
    return node === '' ? 'has no node' : undefined;
  } catch (error) {
    if (error instanceof UnreadableError) return record['node'] === undefined ? error.message : undefined;
    throw error;
  }
}

async function strayEntry(
  store: Store,
  kind: KindName,
  index: string,
  member: string,
  repair: boolean,
): Promise<Finding[]> {
  const id = member.slice(member.indexOf('\0') + 1);
  const isOdd = kind !== 'backend' && !isId(id);
  if (!(await isStrayEntry(store, { kind, id, index, member }, repair)) && !isOdd) return [];
  const object = `entry ${member.replace('\0', ' ')}`;
  return [
    finding(object, `is in the index ${index} and no record accounts for it`, 'remove it from the index', repair),
  ];
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
  for (let begin = 0; begin < items.length; begin += concurrency) {
    found.push(...(await Promise.all(items.slice(begin, begin + concurrency).map(work))).flat());
  }
  return found;
}

function finding(object: string, what: string, fix: string, fixed: boolean): Finding {
  return { node: '', object, what, fix, fixed: fixed && fix !== '' };
}
