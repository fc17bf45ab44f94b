import { type Database, Hash } from './database.ts';
import { type Reply, failure, ok } from './reply.ts';
import { type Scored, SortedSet, aboveText, belowText, scoreBound } from './sorted-set.ts';
import { Stream } from './stream.ts';

/** A command with its arguments; throws the text of an error answer. */
export type Command = (database: Database, args: readonly string[]) => Reply;

const text = (args: readonly string[], index: number): string => {
  const value = args[index];
  if (value === undefined) throw new Error('ERR wrong number of arguments');
  return value;
};

function pairs(args: readonly string[]): [string, string][] {
  return args.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, text(args, index + 1)]] : []));
}

/** The value after a word such as COUNT. */
function option(args: readonly string[], word: string): string | undefined {
  const index = args.findIndex((arg) => arg.toUpperCase() === word);
  return index < 0 ? undefined : args[index + 1];
}

function has(args: readonly string[], word: string): boolean {
  return args.some((arg) => arg.toUpperCase() === word);
}

const strings: Record<string, Command> = {
  GET: (database, [key = '']) => {
    const value = database.get(key);
    return typeof value === 'string' ? value : null;
  },
  SET: (database, [key = '', value = '', ...options]) => {
    database.set(key, value);
    const px = option(options, 'PX');
    database.endAt(key, px === undefined ? undefined : database.now() + Number(px));
    return ok;
  },
  DEL: (database, keys) => keys.filter((key) => database.get(key) !== undefined && database.delete(key)).length,
  EXISTS: (database, keys) => keys.filter((key) => database.get(key) !== undefined).length,
  PTTL: (database, [key = '']) => {
    if (database.get(key) === undefined) return -2;
    const end = database.end(key);
    return end === undefined ? -1 : end - database.now();
  },
  TYPE: (database, [key = '']) => {
    const value = database.get(key);
    const name = value instanceof Hash ? 'hash' : value instanceof SortedSet ? 'zset' : 'stream';
    return { kind: 'status', text: value === undefined ? 'none' : typeof value === 'string' ? 'string' : name };
  },
  KEYS: (database, [pattern = '']) => {
    const start = pattern.replace(/\*$/, '').replaceAll(/\\(.)/g, '$1');
    return database.keys.filter((key) => key.startsWith(start));
  },
  RENAME: (database, [from = '', to = '']) => {
    if (database.get(from) === undefined) return failure('ERR no such key');
    database.rename(from, to);
    return ok;
  },
  RENAMENX: (database, [from = '', to = '']) => {
    if (database.get(from) === undefined) return failure('ERR no such key');
    if (database.get(to) !== undefined) return 0;
    database.rename(from, to);
    return 1;
  },
  FLUSHALL: (database) => {
    database.clear();
    return ok;
  },
};

const hashes: Record<string, Command> = {
  HGET: (database, [key = '', field = '']) => database.hash(key)?.get(field) ?? null,
  HMGET: (database, [key = '', ...fields]) => fields.map((field) => database.hash(key)?.get(field) ?? null),
  HGETALL: (database, [key = '']) => ({ kind: 'map', entries: [...(database.hash(key) ?? [])] }),
  HKEYS: (database, [key = '']) => [...(database.hash(key)?.keys() ?? [])],
  HEXISTS: (database, [key = '', field = '']) => Number(database.hash(key)?.has(field) ?? false),
  HSET: (database, [key = '', ...rest]) => {
    const hash = database.writable(key, Hash);
    const before = hash.size;
    for (const [field, value] of pairs(rest)) hash.set(field, value);
    return hash.size - before;
  },
  HSETNX: (database, [key = '', field = '', value = '']) => {
    if (database.hash(key)?.has(field)) return 0;
    database.writable(key, Hash).set(field, value);
    return 1;
  },
  HDEL: (database, [key = '', ...fields]) => {
    if (!database.hash(key)) return 0;
    const hash = database.writable(key, Hash);
    const removed = fields.filter((field) => hash.delete(field)).length;
    database.dropEmpty(key);
    return removed;
  },
  HINCRBY: (database, [key = '', field = '', by = '0']) => {
    const hash = database.writable(key, Hash);
    const value = Number(hash.get(field) ?? 0) + Number(by);
    hash.set(field, String(value));
    return value;
  },
};

const sortedSets: Record<string, Command> = {
  ZADD: (database, [key = '', ...rest]) => {
    const onlyNew = rest[0]?.toUpperCase() === 'NX';
    const set = database.writable(key, SortedSet);
    const entries = pairs(onlyNew ? rest.slice(1) : rest);
    return entries.filter(
      ([score, member]) => !(onlyNew && set.score(member) !== undefined) && set.add(member, Number(score)),
    ).length;
  },
  ZREM: (database, [key = '', ...members]) => {
    if (!database.sortedSet(key)) return 0;
    const set = database.writable(key, SortedSet);
    const removed = members.filter((member) => set.remove(member)).length;
    database.dropEmpty(key);
    return removed;
  },
  ZSCORE: (database, [key = '', member = '']) => {
    const value = database.sortedSet(key)?.score(member);
    return value === undefined ? null : { kind: 'double', value };
  },
  ZCARD: (database, [key = '']) => database.sortedSet(key)?.size ?? 0,
  ZPOPMIN: (database, [key = '']) => {
    const lowest = database.sortedSet(key)?.sorted[0];
    if (!lowest) return [];
    database.writable(key, SortedSet).remove(lowest[0]);
    database.dropEmpty(key);
    return [lowest[0], { kind: 'double', value: lowest[1] }];
  },
  ZRANGE: (database, [key = '', from = '', to = '', ...options]) => {
    const found = limited(range(database.sortedSet(key)?.sorted ?? [], from, to, options), options);
    return has(options, 'WITHSCORES') ? { kind: 'scored', entries: found } : found.map(([member]) => member);
  },
};

function range(all: readonly Scored[], from: string, to: string, options: readonly string[]): readonly Scored[] {
  if (has(options, 'BYLEX')) return all.filter(([member]) => aboveText(from, member) && belowText(to, member));
  if (has(options, 'BYSCORE')) {
    const [least, most] = [scoreBound(from), scoreBound(to)];
    return all.filter(
      ([, score]) =>
        (least.open ? score > least.value : score >= least.value) &&
        (most.open ? score < most.value : score <= most.value),
    );
  }
  const end = Number(to) < 0 ? all.length + Number(to) : Number(to);
  return all.slice(Number(from) < 0 ? Math.max(0, all.length + Number(from)) : Number(from), end + 1);
}

function limited(found: readonly Scored[], options: readonly string[]): readonly Scored[] {
  const index = options.findIndex((word) => word.toUpperCase() === 'LIMIT');
  if (index < 0) return found;
  const [offset, count] = [Number(options[index + 1]), Number(options[index + 2])];
  return found.slice(offset, count < 0 ? undefined : offset + count);
}

const streams: Record<string, Command> = {
  XADD: (database, [key = '', , ...fields]) => database.writable(key, Stream).add(database.now(), fields),
  /** Only all of it. */
  XRANGE: (database, [key = '']) => database.stream(key)?.all.map(({ id, fields }) => [id, fields]) ?? [],
  XLEN: (database, [key = '']) => database.stream(key)?.length ?? 0,
  XDEL: (database, [key = '', ...ids]) => {
    const stream = database.stream(key);
    return stream ? ids.filter((id) => stream.delete(id)).length : 0;
  },
  XACK: (database, [key = '', group = '', ...ids]) => {
    const stream = database.stream(key);
    return stream ? ids.filter((id) => stream.acknowledge(group, id)).length : 0;
  },
  /** Only MAXLEN 0. */
  XTRIM: (database, [key = '']) => database.stream(key)?.clear() ?? 0,
  /** Only CREATE … 0 MKSTREAM. */
  XGROUP: (database, [, key = '', group = '']) =>
    database.writable(key, Stream).makeGroup(group) ? ok : failure('BUSYGROUP Consumer Group name already exists'),
  XREADGROUP: (database, args) => {
    const [, group = '', consumer = ''] = args;
    const count = Number(option(args, 'COUNT') ?? Infinity);
    const named = args.slice(args.findIndex((arg) => arg.toUpperCase() === 'STREAMS') + 1);
    const entries = named.slice(0, named.length / 2).flatMap((key, index): [string, Reply][] => {
      const from = text(named, named.length / 2 + index);
      const { stream, members } = groupOf(database, key, group, ' in XREADGROUP with GROUP option');
      const found =
        from === '>'
          ? stream.readNew(members, consumer, count, database.now())
          : stream.readPending(members, consumer, from, count);
      return found.length > 0 || from !== '>' ? [[key, found.map(({ id, fields }) => [id, fields])]] : [];
    });
    return entries.length === 0 ? null : { kind: 'topics', entries };
  },
  /** Only the summary's count. */
  XPENDING: (database, [key = '', group = '']) => [
    groupOf(database, key, group).members.pending.size,
    null,
    null,
    null,
  ],
  XAUTOCLAIM: (database, args) => {
    const [key = '', group = '', consumer = '', age = '0'] = args;
    const { stream, members } = groupOf(database, key, group);
    const count = Number(option(args, 'COUNT') ?? 100);
    const { entries, gone } = stream.claim(members, consumer, Number(age), database.now(), count);
    return ['0-0', entries.map(({ id, fields }) => [id, fields]), gone];
  },
};

function groupOf(database: Database, key: string, group: string, where = '') {
  const stream = database.stream(key);
  const members = stream?.groups.get(group);
  if (!stream || !members) throw new Error(`NOGROUP No such key '${key}' or consumer group '${group}'${where}`);
  return { stream, members };
}

const server: Record<string, Command> = {
  PING: () => ({ kind: 'status', text: 'PONG' }),
  TIME: (database) => [String(Math.floor(database.now() / 1000)), String((database.now() % 1000) * 1000)],
  WAIT: () => 0,
  CLIENT: () => ok,
  INFO: () => 'redis_version:7.0.15\r\nloading:0\r\nrole:master\r\nconnected_slaves:0\r\n',
  HELLO: () => ({
    kind: 'map',
    entries: [
      ['server', 'redis'],
      ['proto', 3],
    ],
  }),
};

/** What the product and its scripts use, and no more. */
export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...strings, ...hashes, ...sortedSets, ...streams, ...server }),
);
