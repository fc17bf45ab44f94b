import { sizeInBytes } from '../../lib/drivers/driver.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { type VolumeState, isTransitional, parseVolume } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { FoundExport } from '../../lib/targets/target.ts';

/** What there is on a node outside Redis, looked at by a test. */
export interface NodeStorage {
  node: string;
  volumes: readonly (Pick<FoundVolume, 'id' | 'sizeBytes'> & Partial<Pick<FoundVolume, 'labels'>>)[];
  /** Left out where nothing is exported. */
  exports?: readonly Pick<FoundExport, 'id' | 'address'>[];
  /** Anything else that should not be there, such as a half-made file. */
  leftovers?: readonly string[];
}

/**
 * All that does not fit together in Redis and on storage while nothing is under way, one line each; none when all is well.
 * It reads Redis as it is, key by key, and asks none of the code that wrote it.
 */
export async function disagreements(
  store: Store,
  storages: readonly NodeStorage[],
  { slots = 16 }: { slots?: number } = {},
): Promise<string[]> {
  const found = await read(store);
  return [
    ...found.unknown.map((key) => `key ${key} belongs to nothing`),
    ...[...found.records.values()].flatMap((volume) => recordProblems(volume, found)),
    ...indexProblems(found),
    ...numberProblems(found, slots),
    ...(await topicProblems(store, found.topics)),
    ...storages.flatMap((storage) => storageProblems(storage, found.records)),
  ];
}

interface Found {
  records: Map<string, VolumeState>;
  /** Members by what follows the prefix in the key of a sorted set. */
  sets: Map<string, string[]>;
  shelves: Map<string, string>;
  /** Why, by number. */
  held: Map<string, string>;
  topics: string[];
  unknown: string[];
}

async function read(store: Store): Promise<Found> {
  const { redis, keys } = store;
  const found: Found = {
    records: new Map(),
    sets: new Map(),
    shelves: new Map(Object.entries(await redis.hgetall(keys.shelves()))),
    held: new Map(Object.entries(await redis.hgetall(keys.heldNumbers()))),
    topics: [],
    unknown: [],
  };
  for (const key of await redis.keys(`${keys.prefix.replaceAll(/[[\]?*\\]/g, '\\$&')}*`)) {
    const name = key.slice(keys.prefix.length);
    const type = await redis.type(key);
    const id = /^volume:(.+)$/.exec(name)?.[1];
    if (id !== undefined) found.records.set(id, parseVolume(id, await redis.hgetall(key)));
    else if (name.startsWith('topic:')) found.topics.push(name.slice('topic:'.length));
    else if (type === 'zset') found.sets.set(name, await redis.zrange(key, '0', '-1'));
    else if (!/^(aoe:(shelves|held)|node:[^:]+(:lease)?)$/.test(name)) found.unknown.push(name);
  }
  return found;
}

function recordProblems(volume: VolumeState, { sets }: Found): string[] {
  const { id, name, node, projectId, status } = volume;
  const missing = (set: string, member = id) =>
    sets.get(set)?.includes(member) ? [] : [`volume ${id} is not in ${set}`];
  return [
    ...(isTransitional(volume) ? [`volume ${id} is ${status}, ${volume.attachStatus}`] : []),
    ...(node === '' ? [`volume ${id} is of no node`] : missing(`node:${node}:volumes`)),
    ...missing('volumes'),
    ...missing('volume-ids'),
    ...missing(`project:${projectId}:volumes`),
    ...(name === '' ? [] : missing('volume-names', `${name}\0${id}`)),
  ];
}

function indexProblems({ records, sets }: Found): string[] {
  return [...sets].flatMap(([set, members]) => {
    if (set === 'nodes' || set.endsWith(':free')) return [];
    if (set.endsWith(':pending')) return members.map((id) => `volume ${id} is in ${set}`);
    return members.flatMap((member) => {
      const volume = records.get(set === 'volume-names' ? (member.split('\0')[1] ?? '') : member);
      if (!volume) return [`${set} has ${JSON.stringify(member)}, which has no record`];
      const belongs =
        set === 'volume-names' ? `${volume.name}\0${volume.id}` === member : ownSets(volume).includes(set);
      return belongs ? [] : [`${set} has ${JSON.stringify(member)}, which does not belong there`];
    });
  });
}

function ownSets({ node, projectId }: VolumeState): string[] {
  return ['volumes', 'volume-ids', `node:${node}:volumes`, `project:${projectId}:volumes`];
}

/** Every number of every claimed shelf is in one place: free, with one volume, or held back. */
function numberProblems({ records, sets, shelves, held }: Found, slots: number): string[] {
  const places = new Map<string, string[]>();
  const put = (number: string, place: string) => places.set(number, [...(places.get(number) ?? []), place]);
  for (const [set, members] of sets) if (set.endsWith(':free')) for (const number of members) put(number, set);
  for (const { id, shelfId, bladeId } of records.values()) {
    if (shelfId !== undefined) put(`${shelfId}.${bladeId}`, `volume ${id}`);
  }
  const problems: string[] = [];
  for (const [number, at] of places) {
    if (at.length > 1) problems.push(`number ${number} is in ${at.join(' and ')}`);
    if (!shelves.has(number.split('.')[0] ?? '')) problems.push(`number ${number} is of a shelf that nobody has`);
  }
  for (const [shelf, node] of shelves) {
    for (let slot = 0; slot < slots; slot += 1) {
      const number = `${shelf}.${slot}`;
      if (!places.has(number) && !held.has(number)) problems.push(`number ${number} of ${node} is lost`);
    }
  }
  for (const [number, reason] of held) {
    if (reason.startsWith('volume ')) problems.push(`number ${number} is kept for ${reason}`);
  }
  for (const { id, status, shelfId } of records.values()) {
    if (shelfId === undefined && status !== 'error') problems.push(`volume ${id}, ${status}, has no number`);
  }
  return problems;
}

async function topicProblems(store: Store, topics: readonly string[]): Promise<string[]> {
  const { redis, keys } = store;
  const problems = await Promise.all(
    topics.map(async (topic) => {
      const left = await redis.xlen(keys.topic(topic));
      // Without a group nothing was ever fetched.
      const [fetched] = await redis.xpending(keys.topic(topic), 'nodes').catch(() => [0]);
      return [
        ...(left === 0 ? [] : [`topic ${topic} has ${left} commands that nobody carries out`]),
        ...(fetched === 0 ? [] : [`topic ${topic} has ${String(fetched)} commands that were fetched and never ended`]),
      ];
    }),
  );
  return problems.flat();
}

function storageProblems(storage: NodeStorage, records: ReadonlyMap<string, VolumeState>): string[] {
  const { node, volumes, exports, leftovers = [] } = storage;
  const stored = new Map(volumes.map((volume) => [volume.id, volume]));
  const problems = leftovers.map((leftover) => `${node} has ${leftover}`);
  for (const { id, labels } of volumes) {
    const { shelf, blade } = labels ?? {};
    const record = records.get(id);
    if (record?.node !== node) problems.push(`${node} has storage of volume ${id}, which has no record there`);
    else if (record.status === 'error') problems.push(`${node} has storage of volume ${id}, which is in error`);
    else if (shelf !== undefined && record.aoeDevice !== `e${shelf}.${blade}`)
      problems.push(`volume ${id}, ${record.aoeDevice}, is labelled e${shelf}.${blade}`);
  }
  for (const [place, count] of countBy(exports?.map(({ id, address }) => `${id} ${address}`) ?? [])) {
    const record = records.get(place.split(' ')[0] ?? '');
    const right = record?.node === node && place === `${record.id} ${record.aoeDevice}`;
    if (!right) problems.push(`${node} exports ${place}, which has no record there`);
    if (count > 1) problems.push(`${node} exports ${place} ${count} times`);
  }
  for (const { id, size, status, node: owner } of records.values()) {
    if (owner !== node || status === 'error') continue;
    const { sizeBytes = 0 } = stored.get(id) ?? {};
    if (sizeBytes < sizeInBytes(size)) problems.push(`volume ${id}, ${status}, has ${sizeBytes} bytes`);
    if (exports && !exports.some((one) => one.id === id)) problems.push(`volume ${id}, ${status}, is not exported`);
  }
  return problems;
}

function countBy(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
